package balancer

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"kecho/channel"
)

// someHeads are heads of all shapes.
func someHeads() []packer {
	long := strings.Repeat("x", 300)
	return []packer{
		&requestHead{}, &answerHead{},
		&requestHead{
			Method: "PUT", Target: "/" + long, Host: "web", Length: -1, Fin: true, Window: 1 << 40, Trailer: []string{"A", long},
			Fields: []field{{"A", ""}, {long, "1"}}, Epoch: 1<<32 - 1, Age: 300, MaxWait: 70_000, Claimed: true, Class: -3, Tied: true, Offered: true, Upgrade: "websocket",
		},
		&requestHead{Fields: []field{}, Trailer: []string{}, Class: -40, Epoch: 127, Age: 128, MaxWait: -70_000},
		&requestHead{Fields: make([]field, maxEventFields), Trailer: make([]string, 20)},
		&answerHead{Status: 200, Length: 1 << 33, Window: -1 << 62, Fields: []field{{"Set-Cookie", strings.Repeat("y", 40)}}},
	}
}

// TestHeadsAsPacked holds heads by hand against channel.Pack.
func TestHeadsAsPacked(t *testing.T) {
	for _, h := range someHeads() {
		want, err := channel.Pack(h)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.pack(nil); !bytes.Equal(got, want) {
			t.Errorf("%+v is packed as\n% x, not as\n% x", h, got, want)
		}
	}
}

// TestHeadsOfOtherVersions: fields that are not there are zero, and those that
// are not known are left out.
func TestHeadsOfOtherVersions(t *testing.T) {
	type older struct{ Method, Target string }
	type newer struct {
		Status int
		Fields []field
		Length int64
		Fin    bool
		Names  []string
		Window int64
		More   [][]string
		Last   map[string]float64
	}
	var request requestHead
	b, _ := channel.Pack(older{"GET", "/a"})
	if err := unpackHead(b, &request); err != nil || !reflect.DeepEqual(request, requestHead{Method: "GET", Target: "/a"}) {
		t.Errorf("two fields are read as %+v, %v", request, err)
	}
	var answer answerHead
	b, _ = channel.Pack(newer{Status: 404, Window: 3, More: [][]string{{"a"}, nil}, Last: map[string]float64{"b": 1}})
	if err := unpackHead(b, &answer); err != nil || !reflect.DeepEqual(answer, answerHead{Status: 404, Window: 3}) {
		t.Errorf("eight fields are read as %+v, %v", answer, err)
	}
	if err := unpackHead(append(b, 0), &answer); err == nil {
		t.Error("a byte after the head is no error")
	}
}

func unpackHead(b []byte, h packer) error {
	u := channel.NewUnpacker(b)
	h.read(&u)
	return u.End()
}

// FuzzHeads: what is read by hand is what channel.Unpack reads, and what it has
// packed is read.
func FuzzHeads(f *testing.F) {
	for _, h := range someHeads() {
		f.Add(h.pack(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, fresh := range []func() packer{func() packer { return new(requestHead) }, func() packer { return new(answerHead) }} {
			ours, theirs := fresh(), fresh()
			err, theirErr := unpackHead(b, ours), channel.Unpack(b, theirs)
			if theirErr == nil {
				canonical, packErr := channel.Pack(theirs)
				if err != nil && packErr == nil && bytes.Equal(canonical, b) {
					t.Errorf("% x of channel.Pack is not read: %v", b, err)
				}
			}
			if err != nil {
				continue
			}
			if theirErr != nil {
				t.Fatalf("% x is read as %+v, but by channel.Unpack not: %v", b, ours, theirErr)
			}
			if got, want := ours.pack(nil), theirs.pack(nil); !bytes.Equal(emptyAsNil(ours).pack(nil), emptyAsNil(theirs).pack(nil)) {
				t.Errorf("% x is read as % x, but by channel.Unpack as % x", b, got, want)
			}
		}
	})
}

// emptyAsNil has lists that are empty be none.
func emptyAsNil(h packer) packer {
	switch h := h.(type) {
	case *requestHead:
		if len(h.Fields) == 0 {
			h.Fields = nil
		}
		if len(h.Trailer) == 0 {
			h.Trailer = nil
		}
	case *answerHead:
		if len(h.Fields) == 0 {
			h.Fields = nil
		}
		if len(h.Trailer) == 0 {
			h.Trailer = nil
		}
	}
	return h
}
