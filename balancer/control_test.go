package balancer

import (
	"math"
	"testing"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
)

func TestControlRoundTrip(t *testing.T) {
	for _, m := range []policy.Message{
		{Kind: policy.Offer},
		{Kind: policy.Offer, Epoch: math.MaxUint32, Age: 1234 * time.Microsecond, Class: policy.FirstClass, Bytes: 1 << 20},
		{Kind: policy.Offer, Epoch: 1, Age: maxLeft, Class: policy.LastClass, Bytes: math.MaxInt32},
	} {
		b := packOffer(&m)
		for _, later := range []string{"", "more"} {
			if got, err := unpackOffer(append(b, later...)); got != m || err != nil {
				t.Errorf("%+v became %+v, %v", m, got, err)
			}
		}
		for n := range b {
			if got, err := unpackOffer(b[:n]); err == nil {
				t.Errorf("%d of %d bytes were read as %+v", n, len(b), got)
			}
		}
		if epoch, err := unpackEpoch(packEpoch(m.Epoch)); epoch != m.Epoch || err != nil {
			t.Errorf("epoch %d became %d, %v", m.Epoch, epoch, err)
		}
	}
	for _, b := range append(garbage, []byte{0x80, 0x80, 0x80, 0x80, 0x10}) { // 2^32
		if epoch, err := unpackEpoch(b); err == nil && epoch > 5 {
			t.Errorf("% x was read as epoch %d", b, epoch)
		}
	}
}

// FuzzOffer: whatever a peer offers is refused or within bounds.
func FuzzOffer(f *testing.F) {
	f.Add(packOffer(&policy.Message{Epoch: 3, Age: time.Second, Class: -2, Bytes: 100}))
	for _, b := range garbage {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := unpackOffer(b)
		if err != nil {
			return
		}
		if m.Age < 0 || m.Age > maxLeft || m.Class < policy.FirstClass || m.Class > policy.LastClass || m.Bytes < 0 || m.Bytes > math.MaxInt32 {
			t.Errorf("% x was read as %+v", b, m)
		}
		if again, err := unpackOffer(packOffer(&m)); again != m || err != nil {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

// TestRequestMessage: what an owner says of its request is cut to what the core
// takes.
func TestRequestMessage(t *testing.T) {
	e := &channel.Event{ID: channel.ID{Source: 1, Seq: 7}, Body: make([]byte, 10)}
	head := requestHead{Epoch: -1, Age: math.MinInt64, MaxWait: math.MaxInt64, Class: 99, Claimed: true}
	m := head.message(e)
	if m.Kind != policy.Grant || m.ID != 7 || m.Age != 0 || m.MaxWait != maxLeft || m.Class != policy.LastClass || m.Bytes != 10 || m.Left != maxLeft {
		t.Errorf("%+v", m)
	}
	e.Re = channel.ID{Source: 1, Seq: 5}
	if m := (&requestHead{}).message(e); m.Kind != policy.Push || m.ID != 5 {
		t.Errorf("%+v", m)
	}
}
