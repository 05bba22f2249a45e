package codec

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

const (
	// minCompressed is from how many bytes on a payload is compressed. One event is
	// smaller and would shrink by a third, at twice the time that sealing takes;
	// events that share a workflow repeat each other and shrink to a fifth.
	minCompressed = 4 << 10
	// maxCompressed is the largest payload that is compressed, and so the largest
	// that is ever expanded. Temporal takes no more than 2 MiB; what is larger is
	// sealed as it is, for Temporal to refuse it.
	maxCompressed = 4 << 20
	// compressed is the first byte of a compressed payload, inside the seal. The
	// message of a payload never begins with it: no field has the number 0.
	compressed = 0
)

// Writers hold tables of some 600 KiB each, so they are used again.
var (
	deflaters = sync.Pool{New: func() any {
		writer, _ := flate.NewWriter(nil, flate.BestSpeed) // the level is a constant: cannot fail
		return writer
	}}
	inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}
)

// compress returns the message of a payload as it is sealed: as it is, or where
// that is shorter by an eighth or more, the mark, the message's length and the
// message deflated.
func compress(message []byte) []byte {
	if len(message) < minCompressed || len(message) > maxCompressed {
		return message
	}
	var out bytes.Buffer
	out.Grow(len(message) / 3)
	out.WriteByte(compressed)
	out.Write(binary.AppendUvarint(nil, uint64(len(message))))
	writer, _ := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(writer)
	writer.Reset(&out)
	_, err := writer.Write(message)
	if err = errors.Join(err, writer.Close()); err != nil || out.Len() > len(message)-len(message)/8 {
		return message
	}
	return out.Bytes()
}

var errExpand = errors.New("a compressed payload does not expand")

// expand is the inverse of compress. It never makes more than maxCompressed
// bytes, whatever it is given.
func expand(sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != compressed {
		return sealed, nil
	}
	length, read := binary.Uvarint(sealed[1:])
	if read <= 0 || length > maxCompressed {
		return nil, errExpand
	}
	reader, _ := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(reader)
	resetter, _ := reader.(flate.Resetter)
	if err := resetter.Reset(bytes.NewReader(sealed[1+read:]), nil); err != nil {
		return nil, errExpand
	}
	message := make([]byte, length)
	if _, err := io.ReadFull(reader, message); err != nil {
		return nil, errExpand
	}
	if n, err := reader.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return nil, errExpand // longer than it says
	}
	return message, nil
}
