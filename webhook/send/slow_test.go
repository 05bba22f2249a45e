package send

import (
	"net"
	"time"
)

// slowHeader answers with one byte of a header at a time, for ever.
func slowHeader(conn net.Conn) {
	if !readRequest(conn) {
		return
	}
	_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nX-Slow: "))
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
	}
}
