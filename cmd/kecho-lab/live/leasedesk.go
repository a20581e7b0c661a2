package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// desk is a client's way to one server: JSON over one connection that is kept.
type desk struct {
	base string
	http *http.Client
}

func newDesk(addr string) *desk {
	transport := &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}
	return &desk{"http://" + addr, &http.Client{Transport: transport}}
}

func (d *desk) close() { d.http.CloseIdleConnections() }

// ask sends body unless it is nil, and reads the answer unless it is nil.
func (d *desk) ask(ctx context.Context, method, path string, body, answer any) error {
	var sent io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.base+path, sent)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, path, err)
	case res.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %.500s", method, path, res.Status, text)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}
