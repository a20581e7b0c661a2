package live

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"kecho/cmd/kecho-lab/events"
)

// medium is one source and its sinks, each a process, and what carries their
// events.
type medium struct {
	name    string
	bus     string // as events.Config has it; a URL when server is running
	broker  string // path of nats-server; "": there is none
	version string // of the broker

	server *process
	source *station
	sinks  []*station
}

// station is a process that calls events.Serve.
type station struct {
	process *process
	at      events.Address
	desk    *desk
}

// What the subjects are: the first sink hears subjectOne, all hear subjectAll;
// both also by a queue of their own.
const (
	subjectOne = "one"
	subjectAll = "all"
)

func (cfg *ChannelConfig) media() []*medium {
	all := []*medium{{name: "kecho", bus: events.OverTCP}}
	if cfg.QUIC {
		all = append(all, &medium{name: "kecho-quic", bus: events.OverQUIC})
	}
	if cfg.NATS != "" {
		all = append(all, &medium{name: "nats", broker: cfg.NATS})
	}
	return all
}

// start starts all processes, and waits until the source has every sink.
func (m *medium) start(ctx context.Context, cfg ChannelConfig, failed func(error)) error {
	if m.broker != "" {
		if err := m.startBroker(ctx, failed); err != nil {
			return err
		}
	}
	subjects := []string{subjectOne, subjectAll}
	if m.broker == "" {
		subjects = append(subjects, subjectOne+events.Queued, subjectAll+events.Queued)
	}
	one := slices.DeleteFunc(slices.Clone(subjects), func(s string) bool { return strings.HasPrefix(s, subjectAll) })
	all := slices.DeleteFunc(slices.Clone(subjects), func(s string) bool { return strings.HasPrefix(s, subjectOne) })
	var err error
	if m.source, err = m.launch(ctx, cfg, "source", subjects, failed); err != nil {
		return err
	}
	for i := range cfg.Sinks {
		hears := all
		if i == 0 {
			hears = slices.Concat(all, one)
		}
		sink, err := m.launch(ctx, cfg, fmt.Sprint("sink", i+1), hears, failed)
		if err != nil {
			return err
		}
		m.sinks = append(m.sinks, sink)
	}
	for _, subject := range subjects {
		want := events.Ready{Subject: subject, Stations: cfg.Sinks}
		if strings.HasPrefix(subject, subjectOne) {
			want.Stations = 1
		}
		if err := poll(ctx, func() error { return m.source.order(ctx, "/ready", want, nil) }); err != nil {
			return err
		}
	}
	return nil
}

// startBroker starts NATS as it is by default, but for where it is.
func (m *medium) startBroker(ctx context.Context, failed func(error)) error {
	said, err := exec.CommandContext(ctx, m.broker, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", m.broker, err)
	}
	m.version = strings.TrimSpace(string(said))
	at, err := freePorts(1)
	if err != nil {
		return err
	}
	host, port, _ := strings.Cut(at[0], ":")
	if m.server, err = begin("nats-server", []string{m.broker, "--addr", host, "--port", port}, nil, failed); err != nil {
		return err
	}
	m.bus = "nats://" + at[0]
	return m.server.await(ctx, func(line string) bool { return strings.Contains(line, "Server is ready") })
}

// launch starts one station; all but the first find the source.
func (m *medium) launch(ctx context.Context, cfg ChannelConfig, name string, subjects []string, failed func(error)) (*station, error) {
	argv := append(slices.Clone(cfg.Station), "--bus", m.bus, "--name", name, "--subjects", strings.Join(subjects, ","))
	if m.source != nil {
		argv = append(argv, "--sink", "--seed", m.source.at.Bus)
	}
	p, err := begin(m.name+" "+name, argv, nil, failed)
	if err != nil {
		return nil, err
	}
	s := &station{process: p}
	err = p.await(ctx, func(line string) bool {
		return json.Unmarshal([]byte(line), &s.at) == nil && s.at.Control != ""
	})
	if err != nil {
		p.kill()
		return nil, err
	}
	s.desk = newDesk(s.at.Control)
	return s, nil
}

func (s *station) order(ctx context.Context, path string, in, out any) error {
	return s.desk.ask(ctx, http.MethodPost, path, in, out)
}

func (m *medium) processes() (all []*process) {
	if m.server != nil {
		all = append(all, m.server)
	}
	if m.source != nil {
		all = append(all, m.source.process)
	}
	for _, s := range m.sinks {
		all = append(all, s.process)
	}
	return all
}

func (m *medium) stop() {
	var ends sync.WaitGroup
	for _, p := range m.processes() {
		ends.Go(p.kill)
	}
	ends.Wait()
}

// versionOf is what the broker says of itself; "" where there is none.
func versionOf(media []*medium) string {
	for _, m := range media {
		if m.version != "" {
			return m.version
		}
	}
	return ""
}
