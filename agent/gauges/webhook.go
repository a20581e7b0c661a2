package gauges

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"kecho/agent/api"
)

// How patient a webhook is with its receiver.
const (
	hookTry      = 5 * time.Second // one try
	hookPause    = 500 * time.Millisecond
	hookMaxPause = 30 * time.Second
	hookPatience = 5 * time.Minute // all tries of one crossing
)

var (
	errDropped  = errors.New("the receiver is slower than the crossings: the oldest was dropped")
	errPatience = fmt.Errorf("given up after %v", hookPatience)
)

// newClient is the one that calls webhooks: directly, and where they are said
// to be and nowhere else.
func newClient(dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: hookTry},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       hookTry,
	}
}

// post tries until the receiver has taken the crossing, has said that it never
// will, or the time for it is over.
func (t *Table) post(ctx context.Context, hook *url.URL, c api.Crossing, body []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, hookPatience, errPatience)
	defer cancel()
	for pause := hookPause; ; pause = min(2*pause, hookMaxPause) {
		again, err := t.postOnce(ctx, hook, c, body)
		if err == nil || !again {
			return err
		}
		select {
		case <-time.After(t.cfg.Jitter(pause)):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// postOnce is one try; again says whether another may go better.
func (t *Table) postOnce(ctx context.Context, hook *url.URL, c api.Crossing, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.String(), bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("webhook %s: no request can be made", redacted(hook))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "kecho")
	// A try that was answered and not heard is told again.
	req.Header.Set("Idempotency-Key", strconv.Quote(fmt.Sprintf("%s/%s/%d/%d", c.Node, c.Threshold, c.Sequence, c.Time.UnixMilli())))
	res, err := t.client.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // it has the whole address in its text
		}
		return true, fmt.Errorf("webhook %s: %w", redacted(hook), err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection serves again
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return false, nil
	case res.StatusCode >= 500, res.StatusCode == http.StatusRequestTimeout, res.StatusCode == http.StatusTooManyRequests:
		again = true
	}
	return again, fmt.Errorf("webhook %s: answered %s", redacted(hook), strconv.Itoa(res.StatusCode))
}
