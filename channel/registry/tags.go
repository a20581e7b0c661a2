package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"

	"github.com/hashicorp/memberlist"

	"kecho/channel"
)

// protocol is the version of what the tags mean. A node of another version is
// not let in.
const protocol = 1

// Names of our own tags. One byte each: all tags together are at most 512
// bytes, and names of Config.Tags are longer.
const (
	tagID       = "i" // the life of the node, 16 hexadecimal digits
	tagLink     = "l" // host:port of its links
	tagProtocol = "p" // protocol, decimal
	tagCluster  = "c"
	tagChannels = "a" // the announcement, see packAnnouncement
)

// packTags writes what the others are told: of the channels as many as there
// is room for.
func packTags(cfg *Config, link string, a channel.Announcement) map[string]string {
	tags := maps.Clone(cfg.Tags)
	if tags == nil {
		tags = make(map[string]string)
	}
	tags[tagID] = cfg.ID.String()
	tags[tagLink] = link
	tags[tagProtocol] = strconv.Itoa(protocol)
	tags[tagCluster] = cfg.Cluster
	tags[tagChannels] = ""
	// One byte says that it is serf's map, up to 3 begin the map.
	room := memberlist.MetaMaxSize - 4
	for name, value := range tags {
		room -= packedLen(name) + packedLen(value)
	}
	tags[tagChannels] = packAnnouncement(a, room-2) // its own length may grow by 2
	return tags
}

// packedLen is the most that serf's msgpack needs for s.
func packedLen(s string) int {
	if len(s) < 32 {
		return 1 + len(s)
	}
	return 3 + len(s)
}

const (
	partial = 1 << 0 // not all channels are listed
)

// packAnnouncement writes the version (uvarint), the flags (one byte) and the
// names, each behind its length (one byte), in at most room bytes.
func packAnnouncement(a channel.Announcement, room int) string {
	head := binary.AppendUvarint(nil, a.Version)
	var names []byte
	var flags byte
	if a.Partial {
		flags |= partial
	}
	for _, name := range a.Channels {
		if len(name) == 0 || len(name) > channel.MaxName || len(head)+1+len(names)+1+len(name) > room {
			flags |= partial
			continue
		}
		names = append(names, byte(len(name)))
		names = append(names, name...)
	}
	return string(append(append(head, flags), names...))
}

func unpackAnnouncement(s string) (a channel.Announcement, err error) {
	broken := errors.New("announcement is broken")
	b := []byte(s)
	version, n := binary.Uvarint(b)
	if n <= 0 || len(b) <= n {
		return a, broken
	}
	a.Version, a.Partial = version, b[n]&partial != 0
	for b = b[n+1:]; len(b) > 0; {
		size := int(b[0])
		if size == 0 || size > channel.MaxName || size >= len(b) {
			return channel.Announcement{}, broken
		}
		a.Channels = append(a.Channels, string(b[1:1+size]))
		b = b[1+size:]
	}
	return a, nil
}

// checkTags says why a node with such tags cannot be a member here.
func checkTags(cfg *Config, name string, tags map[string]string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("node name %.80q is not a name", name)
	}
	if _, err := channel.ParseNodeID(tags[tagID]); err != nil {
		return fmt.Errorf("%q is not a node of kecho: %w", name, err)
	}
	if c := tags[tagCluster]; c != cfg.Cluster {
		return fmt.Errorf("%q is of the cluster %.40q, this node of %q", name, c, cfg.Cluster)
	}
	if p := tags[tagProtocol]; p != strconv.Itoa(protocol) {
		return fmt.Errorf("%q speaks version %.10q of the registry's protocol, this node %d: run the same release on both", name, p, protocol)
	}
	return nil
}

// unpackTags fills in what the tags say of a peer. A link address or an
// announcement that cannot be read counts as none.
func unpackTags(p *Peer, tags map[string]string) (err error) {
	if p.ID, err = channel.ParseNodeID(tags[tagID]); err != nil {
		return err
	}
	if _, _, err := net.SplitHostPort(tags[tagLink]); err == nil {
		p.LinkAddr = tags[tagLink]
	}
	if p.Announcement, err = unpackAnnouncement(tags[tagChannels]); err != nil {
		p.Announcement = channel.Announcement{Partial: true}
	}
	for name, value := range tags {
		if len(name) > 1 {
			if p.Tags == nil {
				p.Tags = make(map[string]string)
			}
			p.Tags[name] = value
		}
	}
	return nil
}
