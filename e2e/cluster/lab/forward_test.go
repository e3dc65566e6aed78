package lab

import (
	"io"
	"log"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A client that ends its side must still get the answer: half-closed
// connections are how `kubectl exec` with a pipe and many protocols end.
func TestForwardHandsOnTheEndOfEachDirection(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = server.Close() }()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		all, _ := io.ReadAll(conn)
		_, _ = conn.Write(append([]byte("got "), all...))
	}()
	outer, err := listenNear(0)
	require.NoError(t, err)
	defer func() { _ = outer.Close() }()
	go forward(t.Context(), outer, server.Addr().String(), log.New(io.Discard, "", 0))

	conn, err := net.Dial("tcp4", outer.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte("question"))
	require.NoError(t, err)
	half, ok := conn.(*net.TCPConn)
	require.True(t, ok)
	require.NoError(t, half.CloseWrite())
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, "got question", string(answer))
}

func TestForwardClosesWhenNobodyListensBehind(t *testing.T) {
	t.Parallel()
	gone, err := listenNear(0)
	require.NoError(t, err)
	address := gone.Addr().String()
	require.NoError(t, gone.Close())
	outer, err := listenNear(0)
	require.NoError(t, err)
	defer func() { _ = outer.Close() }()
	go forward(t.Context(), outer, address, log.New(io.Discard, "", 0))

	conn, err := net.Dial("tcp4", outer.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF)
}

func TestATakenPortIsNoObstacle(t *testing.T) {
	t.Parallel()
	taken, err := listenNear(0)
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	other, err := listenNear(portOf(taken))
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	assert.NotEqual(t, taken.Addr().String(), other.Addr().String())
}

// exhausted is a listener that cannot accept, then is closed.
type exhausted struct {
	net.Listener

	left int
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.left--; l.left < 0 {
		return nil, net.ErrClosed
	}
	return nil, syscall.EMFILE
}

func TestAListenerThatCannotAcceptIsNotAskedAllTheTime(t *testing.T) {
	t.Parallel()
	start := time.Now()
	forward(t.Context(), &exhausted{left: 3}, "", log.New(io.Discard, "", 0))
	assert.GreaterOrEqual(t, time.Since(start), 3*acceptPause)
}
