package channels_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/channels"
)

// Wait gives readers their time, and then cuts them off.
func TestReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := tables(t, 1)
		table := all[0]
		c := open(t, table, "work")
		enter := func() (context.Context, func()) {
			ctx, leave, err := table.Enter(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			return ctx, leave
		}
		stuck, leaveStuck := enter()
		var others []func()
		for range channels.MaxReaders - 1 {
			_, leave := enter()
			others = append(others, leave)
		}
		if _, _, err := table.Enter(t.Context(), c); !errors.Is(err, channels.ErrReaders) {
			t.Errorf("one too many: %v", err)
		}
		time.AfterFunc(time.Second, func() {
			for _, leave := range others {
				leave()
			}
		})
		began := time.Now()
		context.AfterFunc(stuck, func() {
			time.Sleep(time.Millisecond) // what is under way is waited for
			leaveStuck()
		})
		patience, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		table.Wait(patience)
		if took := time.Since(began); took != 3*time.Second+time.Millisecond || table.Readers() != 0 {
			t.Errorf("waited %v for readers of which %d are left", took, table.Readers())
		}
	})
}
