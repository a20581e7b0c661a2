// Package link carries frames between this node and its peers over one
// connection to each.
//
// # Vocabulary
//
// A [Pool] is all the links of one node; it implements channel.Links. A peer
// is another node, as [Pool.SetPeers] tells. A link is one live connection to a
// peer; a peer that is lost and found again has another link. A greeting is the
// hello of who dialed or the welcome of who accepted; a refusal is the other
// answer to a hello. spec.md has the bytes.
//
// # How it is used
//
//	pool, err := link.New(link.Config{ID: id, Name: "web1", Cluster: "shop", Listener: ln})
//	go pool.Serve(ctx, receiver)      // blocks until ctx is done
//	pool.SetPeers(members)            // whenever the registry has news
//	err = pool.Send(ctx, peer, channel.Urgent, time.Time{}, frame)
//
// Both sides dial; the hellos settle which connection stays. An idle link
// costs one ping a second, 16 KiB and two goroutines. The link is the judge of
// a peer: one that is silent for 3 s has lost its link, whatever the gossip
// says, and one that the gossip has lost keeps its link while it answers.
//
// # How a frame is sent
//
// While nothing waits, Send writes straight to the socket on the caller's
// goroutine, without blocking. What the socket does not take, and all that
// comes until that is written, waits in one queue per priority. The writer
// goroutine takes from all three at once and writes with one writev: up to two
// blocks of 64 KiB of urgent frames, one of normal and one of bulk, so that the
// lower ones never starve and an urgent frame never waits for more than a turn.
// On Linux the kernel is told to keep at most 128 KiB unsent, because what it
// has cannot be overtaken.
//
// On a connection with a stream for each priority ([Laned]; package quic makes
// them) all this is there three times: a track has a writer and a reader of its
// own, and the receiver is called by one reader at a time.
//
// # Concurrency
//
// All methods may be called by many goroutines at once. Per link there is a
// reader, which also calls the receiver, and a writer; per peer without a link
// a dialer; and one goroutine that pings and judges all. All of them are
// started in Serve and have ended when it returns. Frames of one caller to one
// peer at one priority arrive in the order of its calls to Send.
//
// # Limits
//
// Frames have at most channel.MaxFrame bytes. A queue takes 1,024 frames or
// 4 MiB; then urgent and normal frames are refused with channel.ErrQueueFull,
// and bulk waits, first come first served. A frame that still waits when it is due
// is dropped before the next turn, or when its queue is full. Of connections that have not said
// hello at most 256 are held, each for at most 2 s. See [Config] for the
// times. What is queued when a link breaks is lost: delivery is at most once.
//
// # Tests
//
// channeltest.TestLinks is the conformance suite; link_test.go runs the pool
// through it over TCP, TLS and memory, and package quic's over QUIC.
package link
