package alarm

import (
	"context"
	"testing"
	"time"
)

// An alarm that was interrupted is as good as new.
func TestAlarm(t *testing.T) {
	a, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Microsecond, cancel)
		if a.Sleep(ctx, time.Hour) {
			t.Error("an hour has passed")
		}
		began := time.Now()
		if !a.Sleep(t.Context(), time.Millisecond) || time.Since(began) < time.Millisecond {
			t.Error("it did not sleep for a millisecond")
		}
		if !a.Sleep(t.Context(), 0) || !a.Sleep(t.Context(), -1) {
			t.Error("what has passed is not waited for")
		}
	}
}
