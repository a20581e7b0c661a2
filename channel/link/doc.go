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
//	err = pool.Send(ctx, peer, channel.Handling{Priority: channel.Urgent}, frame)
//
// Both sides dial; the hellos settle which connection stays. An idle link
// costs one ping a second, 16 KiB and two goroutines. The link is the judge of
// a peer: one that is silent for 3 s has lost its link, whatever the gossip
// says, and one that the gossip has lost keeps its link while it answers.
//
// # How a frame is sent
//
// While nothing waits, Send writes straight to the socket on the caller's
// goroutine, without blocking: one frame, one system call, and nobody to wake.
// Frames that come one after the other, more than 10,000 in a second that is not
// spent on direct writes, to whatever peers, are a stream:
// they wait for the writer goroutine, which lets those go first that are ready to
// send, and takes many with one call. What the
// socket does not take, and all that comes until that is written, waits in one
// queue per priority. The writer takes from all three at once and writes with one writev: up to two
// blocks of 64 KiB of urgent frames, one of normal and one of bulk, and of each what
// is left then if that is at most 16 KiB, so that the
// lower ones never starve and an urgent frame never waits for more than a turn.
// On Linux the kernel is told to keep at most 128 KiB unsent, because what it
// has cannot be overtaken.
//
// Of a flood of bulk, frames that come faster than one in 10 us, the writer waits
// for 64 KiB, 0.5 ms at most: else each turn would wake the other end for a few
// frames, which costs more than they do. An urgent or normal frame, and a queue that
// is full, end that wait.
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
// peer at one priority and of one share arrive in the order of its calls to Send.
//
// # Limits
//
// Frames have at most channel.MaxFrame bytes. A queue takes 1,536 frames or
// 6 MiB, and of one share, which is a channel's, at most twice what it leaves
// free: 1,024 frames or 4 MiB while no other share has any. So n channels that
// flood leave 1/(2n+1) of the queue to those that do not (Choudhury and Hahne's
// dynamic thresholds). Beyond it urgent and normal frames are refused with
// channel.ErrQueueFull, and bulk waits, of each share first come first served.
// There are channel.Shares of them; a node with more channels has some share one.
// A frame that still waits when it is due is dropped before the next turn, or when
// its queue is full. At most 64 dials are made at once, first those of peers that
// have not failed yet. Of connections that have not said hello at most 256 are
// held, each for at most 2 s. See [Config] for the times. What is queued when a
// link breaks is lost: delivery is at most once.
//
// # Tests
//
// channeltest.TestLinks is the conformance suite; link_test.go runs the pool
// through it over TCP, TLS and memory, and package quic's over QUIC.
package link
