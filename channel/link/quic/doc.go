// Package quic makes QUIC connections for package link: TLS 1.3 over UDP, with
// a stream for each priority.
//
// # Vocabulary
//
// A [Transport] is one UDP socket, on which connections come in and go out. A
// lane is the pair of one-way streams that carry one priority, one each way.
//
// # How it is used
//
//	transport, err := quic.New(quic.Config{Packets: udp, TLS: keys})
//	pool, err := link.New(link.Config{
//		Listener: transport, Dial: transport.Dial, DialTimeout: quic.DialTimeout, TLS: keys,
//	})
//
// All else is the pool's: hellos, queues, pings, who goes first when both dial.
// What a lost packet held up is one priority, not all three, and bulk that the
// network does not take leaves the urgent ones alone.
//
// What fits a packet is written on the sender's own goroutine while nothing waits,
// as over TCP, without waiting. A round trip of 100 bytes each millisecond took
// 102 us of CPU, both ends, 119 to 133 when the writer goroutine wrote it, and 76 to
// 96 over TCP. One after the other as fast as it goes it is 31 to 33 us, 21 to 23
// over TCP; 32 KiB one way 101, beside 13 over TCP and 40 with TLS.
//
// Without TLS in the configuration the connections are encrypted all the same,
// because QUIC cannot do otherwise: each transport makes itself a certificate
// that nobody checks. That keeps out who only listens, and nobody else. Nodes
// with keys and nodes without cannot connect, and are told so.
//
// # Concurrency
//
// All methods may be called by many goroutines at once. Besides quic-go's own
// goroutines there is one that receives connections, and one for each until its
// lanes are there. All have ended when the transport is closed and its last
// connection is.
//
// # Limits
//
// A connection holds at most 512 KiB for each lane that the receiver has not
// read. At most 1,024 connections are between their first packet and Accept, and
// more are refused before their handshake. There is no resumption, no 0-RTT, no datagrams, and no moving
// from one address to another by choice. Who did not hear that a connection was
// closed is told by a stateless reset when it sends. A node that restarts has
// another key for these, and is noticed by its silence (link.Config's DeadAfter)
// or by its own dial. A packet that the socket does not send counts as lost. What
// was written and is not delivered yet is lost when a side closes, which is why
// link's ends wait for each other.
//
// # Tests
//
// channeltest.TestLinks is run over loopback, with packets dropped where the
// suite asks for a network that is mute, and in fake time over memnet's sockets,
// which lose packets and bring them twice and out of order.
package quic
