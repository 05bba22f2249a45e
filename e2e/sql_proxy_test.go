package e2e

import (
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// sqlProxy lies between the processes and PostgreSQL, carries everything, and
// keeps what is asked.
type sqlProxy struct {
	upstream string // host:port of PostgreSQL
	listener net.Listener
	group    sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	asked asked
}

// asked is what was asked of PostgreSQL.
type asked struct {
	// trips are the statements that were sent together, of each time that an answer
	// was waited for. Those that begin and end a transaction are among them.
	trips [][]string
	// prepared counts the statements that were parsed, which a connection does once
	// for each.
	prepared int
}

// sqlProxied starts a proxy in front of a database, and returns the URL that leads
// through it. It is gone when the test ends.
func sqlProxied(t *testing.T, database string) (*sqlProxy, string) {
	t.Helper()
	u, err := url.Parse(database)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &sqlProxy{upstream: u.Host, listener: listener}
	p.group.Go(p.accept)
	t.Cleanup(p.close)
	u.Host = listener.Addr().String()
	query := u.Query()
	query.Set("sslmode", "disable") // so that it can be read
	u.RawQuery = query.Encode()
	return p, u.String()
}

func (p *sqlProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", p.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.group.Go(func() { p.carry(client, server) })
	}
}

func (p *sqlProxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.group.Wait()
}

// carry carries one connection, and reads along what the client says.
func (p *sqlProxy) carry(client, server net.Conn) {
	p.group.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	defer func() { _ = server.Close() }()
	said := pgproto3.NewBackend(io.TeeReader(client, server), io.Discard)
	if _, err := said.ReceiveStartupMessage(); err != nil {
		return
	}
	known, bound := map[string]string{}, ""
	var together []string
	for {
		message, err := said.Receive()
		if err != nil {
			return
		}
		switch m := message.(type) {
		case *pgproto3.Parse:
			known[m.Name] = m.Query
			p.notePrepared()
		case *pgproto3.Bind:
			bound = known[m.PreparedStatement]
		case *pgproto3.Execute:
			together = append(together, bound)
		case *pgproto3.Sync:
			p.keep(together)
			together = nil
		case *pgproto3.Query: // says Sync too
			p.keep([]string{m.String})
		}
	}
}

func (p *sqlProxy) notePrepared() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked.prepared++
}

func (p *sqlProxy) keep(together []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(together) == 0 {
		return // only prepared
	}
	for i, statement := range together {
		together[i] = strings.Join(strings.Fields(statement), " ")
	}
	p.asked.trips = append(p.asked.trips, together)
}

// next returns what was asked since it was called before.
func (p *sqlProxy) next() asked {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.asked
	p.asked = asked{}
	return next
}
