package registry

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

const (
	// broadcastTimeout bounds each of the two steps of leaving, and how long a
	// changed announcement waits for the one before it.
	broadcastTimeout = time.Second
	// farewell is how long a node that left still answers, so that probes of
	// those that have not heard yet do not fail.
	farewell = 500 * time.Millisecond
)

// session is serf, running.
type session struct {
	*Registry
	serf      *serf.Serf
	probe     time.Duration // memberlist's interval, as it was tuned
	transport *transport
	events    chan serf.Event
	dirty     chan struct{} // holds one: something about the members changed
	joiner    *joiner
	// restarted holds one: the address of a peer that is not who we think.
	restarted chan string
}

// start binds the address and starts serf.
func (r *Registry) start(ctx context.Context) (*session, error) {
	s := &session{
		Registry:  r,
		events:    make(chan serf.Event, 64),
		dirty:     make(chan struct{}, 1),
		restarted: make(chan string, 1),
	}
	s.joiner = newJoiner(s)
	conf, err := s.config(ctx)
	if err != nil {
		return nil, err
	}
	ip, port, err := conf.Transport.FinalAdvertiseAddr(conf.AdvertiseAddr, conf.AdvertisePort)
	if err != nil && conf.AdvertiseAddr == "" {
		err = fmt.Errorf("%w: %w", ErrNoAdvertise, err)
	}
	if err == nil {
		r.bound(ip, port)
		s.probe = conf.ProbeInterval
		s.serf, err = serf.Create(s.serfConfig(conf))
	}
	if err != nil {
		s.transport.Shutdown()
		return nil, fmt.Errorf("start serf: %w", err)
	}
	s.transport.open()
	close(r.ready)
	r.cfg.Logger.Info("gossip", "addr", r.Addr(), "encrypted", len(r.cfg.Key) > 0, "cluster", r.cfg.Cluster)
	return s, nil
}

// bound notes the addresses that the others are told.
func (r *Registry) bound(ip net.IP, port int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addr = net.JoinHostPort(ip.String(), strconv.Itoa(port))
	r.link = r.cfg.LinkAddr
	if host, port, err := net.SplitHostPort(r.link); err == nil {
		if at, err := netip.ParseAddr(host); host == "" || err == nil && at.IsUnspecified() {
			r.link = net.JoinHostPort(ip.String(), port)
		}
	}
}

// config is memberlist's part, with the transport bound.
func (s *session) config(ctx context.Context) (*memberlist.Config, error) {
	conf := memberlist.DefaultLANConfig()
	// With its 3 nodes and 4 times news of a cluster of 6 missed a node once
	// in 20 to 50 times, until the next exchange of whole states.
	conf.GossipInterval = 100 * time.Millisecond
	conf.GossipNodes, conf.RetransmitMult = 4, 6
	conf.PushPullInterval = 10 * time.Second
	// Probes twice as often as memberlist's own find a restarted peer in
	// time; it is suspected as long as ever, 4 s, before it counts as failed.
	conf.ProbeInterval, conf.ProbeTimeout = 500*time.Millisecond, 250*time.Millisecond
	conf.SuspicionMult = 8
	conf.TCPTimeout = 2 * time.Second
	conf.DeadNodeReclaimTime = time.Second
	if s.cfg.Tune != nil {
		s.cfg.Tune(conf)
	}
	conf.Label = s.cfg.Cluster
	conf.EnableCompression = false
	conf.GossipVerifyIncoming, conf.GossipVerifyOutgoing = true, true
	conf.SecretKey = s.cfg.Key
	conf.LogOutput, conf.Logger = nil, newSerfLog(s.cfg.Logger)
	conf.Ping = &pinger{s}
	conf.AdvertiseAddr, conf.AdvertisePort = "", 0
	if err := s.advertise(ctx, conf); err != nil {
		return nil, err
	}
	if s.cfg.Transport != nil {
		s.transport = wrap(s.cfg.Transport)
		conf.Transport = s.transport
		return conf, nil
	}
	at, err := s.resolve(ctx, s.cfg.Bind)
	if err != nil {
		return nil, fmt.Errorf("bind address: %w", err)
	}
	if at[0].Addr().IsUnspecified() && at[0].Addr().Is6() && conf.AdvertiseAddr == "" {
		return nil, fmt.Errorf("bind address %s is every address: %w", s.cfg.Bind, ErrNoAdvertise)
	}
	t, port, err := listen(at[0], conf.Logger)
	if err != nil {
		return nil, err
	}
	s.transport = t
	conf.Transport = t
	conf.BindAddr, conf.BindPort = at[0].Addr().String(), port
	if conf.AdvertisePort == 0 {
		conf.AdvertisePort = conf.BindPort
	}
	return conf, nil
}

// advertise sets what is advertised when it is not what is bound. Without a
// port it is the bound one.
func (s *session) advertise(ctx context.Context, conf *memberlist.Config) error {
	if s.cfg.Advertise == "" {
		return nil
	}
	full, err := withPort(s.cfg.Advertise)
	if err != nil {
		return err
	}
	at, err := s.resolve(ctx, full)
	if err != nil {
		return fmt.Errorf("advertised address: %w", err)
	}
	conf.AdvertiseAddr = at[0].Addr().String()
	if _, _, err := net.SplitHostPort(s.cfg.Advertise); err == nil {
		conf.AdvertisePort = int(at[0].Port())
	}
	return nil
}

// resolve finds the addresses of host:port, at least one.
func (s *session) resolve(ctx context.Context, addr string) ([]netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	ips := []netip.Addr{netip.IPv4Unspecified()}
	if host != "" {
		if ip, err := netip.ParseAddr(host); err == nil {
			ips[0] = ip
		} else if ips, err = s.cfg.Resolve(ctx, host); err != nil {
			return nil, err
		}
	}
	if len(ips) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	out := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		out[i] = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	}
	return out, nil
}

func (s *session) serfConfig(conf *memberlist.Config) *serf.Config {
	c := serf.DefaultConfig()
	c.NodeName = s.cfg.Name
	c.Tags = s.tags()
	c.EventCh = s.events
	c.MemberlistConfig = conf
	c.LogOutput, c.Logger = nil, conf.Logger
	c.Merge = s.joiner
	c.BroadcastTimeout = broadcastTimeout
	c.LeavePropagateDelay = 0 // farewell, only when somebody is there
	// serf would keep lost nodes and their names for 24 hours.
	c.ReconnectTimeout = 10 * time.Minute
	c.TombstoneTimeout = 5 * time.Minute
	// Its own resolution can shut down the node that was there first.
	c.EnableNameConflictResolution = false
	c.DisableCoordinates = true
	return c
}

// serve runs until ctx is done or the node cannot be a member.
func (s *session) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopDrain := make(chan struct{})
	var drain, wg sync.WaitGroup
	drain.Go(func() { s.drain(stopDrain) })
	joined := make(chan struct{})
	wg.Go(func() {
		defer close(joined)
		if err := s.joiner.run(ctx); err != nil {
			cancel(err)
		}
	})
	wg.Go(func() { s.announce(ctx) })
	wg.Go(func() { s.joinRestarted(ctx) })
	wg.Go(func() { s.joinFailed(ctx) })
	wg.Go(func() { s.follow(ctx) })
	<-ctx.Done()

	err := context.Cause(ctx)
	if fatal := s.joiner.fatal.Load(); fatal == nil {
		err = nil
		s.leave(joined)
	}
	settle := s.inFlight()
	s.serf.Shutdown()
	wg.Wait()
	time.Sleep(settle)
	close(stopDrain)
	drain.Wait()
	return err
}

// drain takes serf's events, always: serf holds its locks while it hands them
// over, so who takes them must not ask serf anything.
func (s *session) drain(stop <-chan struct{}) {
	for {
		select {
		case <-s.events:
			select {
			case s.dirty <- struct{}{}:
			default:
			}
		case <-stop:
			return
		}
	}
}

// follow keeps the board as serf's members are.
func (s *session) follow(ctx context.Context) {
	for {
		select {
		case <-s.dirty:
			if s.update(s.peers()) {
				s.joiner.hurry()
			}
		case <-ctx.Done():
			return
		}
	}
}

func (s *session) peers() []Peer {
	var peers []Peer
	for _, m := range s.serf.Members() {
		if m.Name == s.cfg.Name {
			continue
		}
		p := Peer{
			Name:   m.Name,
			Addr:   net.JoinHostPort(m.Addr.String(), strconv.Itoa(int(m.Port))),
			Status: Status(m.Status.String()),
		}
		if err := unpackTags(&p, m.Tags); err != nil {
			continue // not let in by the joiner, so it cannot be
		}
		peers = append(peers, p)
	}
	return peers
}

// announce tells serf of announcements, the newest each time.
func (s *session) announce(ctx context.Context) {
	for {
		select {
		case <-s.announced:
			if err := s.serf.SetTags(s.tags()); err != nil && ctx.Err() == nil {
				s.cfg.Logger.Debug("announce", "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// leave tells the others, after a join that is under way, but does not wait
// long for that.
func (s *session) leave(joined <-chan struct{}) {
	select {
	case <-joined:
	case <-time.After(farewell):
	}
	if err := s.serf.Leave(); err != nil {
		s.cfg.Logger.Warn("leave the cluster", "err", err)
	}
	if s.anyAlive() {
		time.Sleep(farewell)
	}
}

func (s *session) anyAlive() bool { return s.Stats().Peers[Alive] > 0 }

// inFlight is how long a probe that memberlist has begun may go on after its
// shutdown, which does not wait for it. Peers that failed just now count too.
func (s *session) inFlight() time.Duration {
	if st := s.Stats(); st.Peers[Alive]+st.Peers[Failed] == 0 {
		return 0
	}
	score := s.serf.Memberlist().GetHealthScore()
	return time.Duration(score+1) * s.probe
}
