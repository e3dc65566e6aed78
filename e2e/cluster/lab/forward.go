package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"sync"
	"time"
)

// acceptPause keeps a listener that cannot accept from filling the log.
const acceptPause = 100 * time.Millisecond

// forward passes each connection of listener on to address.
//
// It is the way into the cluster's network: a socket stays in the network
// namespace it was made in, so a listener that was opened on the host accepts
// there while its owner, and what the owner dials, is inside.
func forward(ctx context.Context, listener net.Listener, address string, logger *log.Logger) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of descriptors, most likely; they come back as connections end.
			logger.Printf("Accepting for %s failed: %v", address, err)
			time.Sleep(acceptPause)
			continue
		}
		go splice(ctx, conn, address)
	}
}

func splice(ctx context.Context, outer net.Conn, address string) {
	defer func() { _ = outer.Close() }()
	inner, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		// The caller sees a closed connection, as from a port that nobody
		// listens on.
		return
	}
	defer func() { _ = inner.Close() }()
	var both sync.WaitGroup
	both.Go(func() { pass(inner, outer) })
	both.Go(func() { pass(outer, inner) })
	both.Wait()
}

// pass copies one direction and hands the end of it on, since the other
// direction may go on for long.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}

// hostPorts are where a cluster prefers to listen on the host's loopback. They
// follow from its identity, so that a kubeconfig copied elsewhere still fits
// after down and up, and two clusters rarely want the same.
func (l layout) hostPorts() [2]int {
	var n int
	for _, c := range []byte(l.id) {
		n = (n*31 + int(c)) % 5000
	}
	return [2]int{20000 + 2*n, 20001 + 2*n}
}

// portOf is the port that a listener got.
func portOf(listener *net.TCPListener) int {
	address, _ := netip.ParseAddrPort(listener.Addr().String())
	return int(address.Port())
}

// listenNear listens on the preferred port of the loopback, or on any.
func listenNear(port int) (*net.TCPListener, error) {
	for _, port := range []int{port, 0} {
		listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err == nil {
			return listener, nil
		}
		if port == 0 {
			return nil, fmt.Errorf("find a free port on the loopback: %w", err)
		}
	}
	panic("unreachable")
}
