// Package memnet is a network in memory for tests: hosts with addresses, stream
// listeners and dialers, packet sockets, and memberlist's transport, with delay,
// loss, partitions and crashes to order. What it gives out are net.Listener,
// net.Conn, net.PacketConn and memberlist.NodeAwareTransport, so the code under
// test does not know.
//
// # Vocabulary
//
// A Net joins hosts. A Host owns one IP address and its ports. A stream is a
// net.Conn between two hosts; a datagram is one packet of a Transport or of a
// socket of ListenPacket. A fault is a delay, a loss, a partition, a cut or a crash.
//
// # Use
//
//	n := memnet.New(memnet.Config{Delay: time.Millisecond})
//	a, b := n.Host("10.0.0.1"), n.Host("10.0.0.2")
//	l, err := b.Listen(":80")
//	c, err := a.Dial(ctx, "tcp", "10.0.0.2:80")
//	n.Partition([]string{"10.0.0.1"}, []string{"10.0.0.2"}) // c stalls
//	n.Heal()                                               // c goes on
//
// Loopback addresses mean the host itself, as on a real one. There are no names
// but "localhost".
//
// # What faults do
//
// As on a real network, a fault is never announced. Across a partition or a cut
// streams stall without an error, dials wait for their context and datagrams
// vanish; what was written meanwhile arrives after Heal. A host that crashes
// says no goodbye: its own ends fail with net.ErrClosed, its peers' streams
// stall, and once it is used again they are reset when they are written to.
// Loss takes datagrams only, and so do coming twice and coming late.
//
// # Concurrency
//
// Everything may be called from any goroutine. The package starts no goroutine:
// whoever waits does so on a condition or a channel, and whatever comes later
// comes from a timer. So it works inside testing/synctest bubbles, where waiting
// is durably blocking and delays cost no real time, and outside of them. A Net
// belongs to the bubble that made it.
//
// # Limits
//
// A stream holds 256 KiB in each direction, then writing waits. A listener
// holds 128 streams that nobody accepted, and a transport or a socket 1,024
// datagrams that nobody took; beyond that dials are refused and datagrams vanish.
package memnet
