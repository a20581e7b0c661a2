package balancer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestEnding: it is as any other context, whether what that takes is made before
// it ends or after.
func TestEnding(t *testing.T) {
	for name, early := range map[string]bool{"made before": true, "made after": false} {
		for what, parents := range map[string]bool{"cancelled": false, "by its parent": true} {
			t.Run(name+", "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					parent, stop := context.WithCancelCause(t.Context())
					e := &ending{parent: parent}
					told := 0
					if early {
						context.AfterFunc(e, func() { told++ })
						if e.Done() == nil || context.Cause(e) != nil {
							t.Error("it ended too early")
						}
					}
					if e.Err() != nil || e.why() != nil {
						t.Error("it ended too early")
					}
					if parents {
						stop(errStopped)
						e.cancel(errLost) // too late, where it is known
					} else {
						e.cancel(errStopped)
						e.cancel(errLost)
						stop(errLost)
					}
					synctest.Wait()
					<-e.Done()
					cause := context.Cause(e)
					if e.Err() != context.Canceled || !early && !parents && !errors.Is(cause, errStopped) || early && (told != 1 || !errors.Is(cause, errStopped)) {
						t.Errorf("%v, cause %v, %d were told", e.Err(), cause, told)
					}
					within, cancel := context.WithCancel(e)
					defer cancel()
					if <-within.Done(); context.Cause(within) != cause {
						t.Errorf("what is in it ended by %v, want %v", context.Cause(within), cause)
					}
				})
			})
		}
	}
}
