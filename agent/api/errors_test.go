package api_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"kecho/agent/api"
)

// The exit codes are a promise to scripts.
func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any"), 1},
		{&api.Error{Code: api.Failed}, 1},
		{&api.Error{Code: "of a newer agent"}, 1},
		{&api.Error{Code: api.Usage}, 2},
		{&api.Error{Code: api.Invalid}, 2},
		{&api.Error{Code: api.TooLarge}, 2},
		{&api.Error{Code: api.NotJSON}, 2},
		{&api.Error{Code: api.Forbidden}, 5},
		{&api.Error{Code: api.NotFound}, 3},
		{&api.Error{Code: api.Unreachable}, 4},
		{&api.Error{Code: api.Refused}, 5},
		{&api.Error{Code: api.NotReady}, 69},
		{&api.Error{Code: api.TryLater}, 75},
		{&api.Error{Code: api.Timeout}, 124},
		{&api.Error{Code: api.NoOffer}, 75},
		{&api.Error{Code: api.Impossible}, 5},
		{&api.Error{Code: api.TooMany}, 75},
		{&api.Error{Code: api.IDReused}, 5},
		{&api.Error{Code: api.LeaseEnded}, 3},
		{&api.Error{Code: api.NotHolder}, 5},
		{&api.Error{Code: api.Changed}, 5},
		{&api.Error{Code: api.NoAnswer}, 75},
		{&api.Error{Code: api.TooFast}, 75},
		{&api.Error{Code: api.NotEvent}, 2},
		{fmt.Errorf("ask: %w", &api.Error{Code: api.NotFound}), 3},
		{fmt.Errorf("ask: %w", context.DeadlineExceeded), 124},
	} {
		if got := api.ExitCode(tt.err); got != tt.want {
			t.Errorf("ExitCode(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
	if got := api.Code("of a newer agent").Status(); got != 500 {
		t.Errorf("status of an unknown code: %d", got)
	}
}
