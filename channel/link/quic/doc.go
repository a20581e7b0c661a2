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
//	pool, err := link.New(link.Config{Listener: transport, Dial: transport.Dial, TLS: keys})
//
// All else is the pool's: hellos, queues, pings, who goes first when both dial.
// What a lost packet held up is one priority, not all three, and bulk that the
// network does not take leaves the urgent ones alone.
//
// Without TLS in the configuration the connections are encrypted all the same,
// because QUIC cannot do otherwise: each transport makes itself a certificate
// that nobody checks. That keeps out who only listens, and nobody else. Nodes
// with keys and nodes without cannot connect, and are told so.
//
// # Concurrency
//
// All methods may be called by many goroutines at once. Besides quic-go's own
// goroutines there is one for each connection until its lanes are there. All
// have ended when the transport is closed and its last connection is.
//
// # Limits
//
// A connection holds at most 512 KiB for each lane that the receiver has not
// read. At most 32 connections wait for Accept; more are refused. There is no
// resumption, no 0-RTT, no datagrams, and no moving from one address to another
// by choice. A node that restarts is noticed by its silence (link.Config's
// DeadAfter) or by its own dial: stateless resets are not sent. What was written
// and is not delivered yet is lost when a side closes, which is why link's
// ends wait for each other.
//
// # Tests
//
// channeltest.TestLinks is run over loopback, with packets dropped where the
// suite asks for a network that is mute.
package quic
