package channels_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/channels"
	"kecho/agent/cloudevents"
)

// While nobody reads a channel that is idle the other nodes send nothing, and
// who comes back with a cursor is told of the gap.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := tables(t, 2)
		here, made, err := all[0].OpenWith("work", channels.Keep{Idle: 10 * time.Second})
		if err != nil || !made {
			t.Fatal(made, err)
		}
		if _, _, err := all[0].OpenWith("work", channels.Keep{Idle: time.Minute}); !errors.Is(err, channels.ErrKeep) {
			t.Errorf("at another time: %v", err)
		}
		if again, made, err := all[0].Open("work"); again != here || made || err != nil {
			t.Errorf("opened again: %v %v", made, err)
		}
		there := open(t, all[1], "work")
		publish := func(sinks int) {
			t.Helper()
			synctest.Wait()
			if n := there.Sinks(); n != sinks {
				t.Errorf("%d sinks, want %d", n, sinks)
			}
			if _, err := there.Publish(t.Context(), []cloudevents.Event{event()}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		publish(1)
		first := here.Log()
		cursor := first.ID(first.Now())
		if page := first.After(first.Start()); len(page.Items) != 1 {
			t.Errorf("before it is idle: %+v", page)
		}
		_, leave, err := all[0].Enter(t.Context(), here)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		publish(1) // somebody reads
		leave()
		time.Sleep(9 * time.Second)
		publish(1)
		time.Sleep(12 * time.Second)
		publish(0)
		info, err := all[0].Info("work")
		if err != nil || info.Last != "" || info.Idle != 10*time.Second || info.Stats.Live != 0 {
			t.Errorf("while it is idle: %+v, %v", info, err)
		}
		time.Sleep(time.Hour)
		publish(0)

		_, leave, err = all[0].Enter(t.Context(), here)
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		publish(1)
		log := here.Log()
		at, err := log.Behind(cursor)
		if page := log.After(at); err != nil || !page.Gap || page.Missed != 0 || len(page.Items) != 1 {
			t.Errorf("behind the old cursor: %+v, %v", page, err)
		}
		if err := all[0].Close("work"); err != nil {
			t.Fatal(err)
		}
		<-here.Done()
	})
}
