package orca

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"kecho/resmgr/monitor"
)

// Header is the field that carries a report, in net/http's spelling.
const Header = "Endpoint-Load-Metrics"

const (
	maxText    = 16 << 10
	maxMetrics = 64
)

// Metric is one value of a report.
type Metric struct {
	Gauge monitor.Key
	Value float64
}

// fields are ORCA's own, as gauges.
var fields = map[string]string{
	"cpu_utilization": "app.cpu", "mem_utilization": "app.memory", "application_utilization": "app.utilization",
	"rps_fractional": "app.rps", "rps": "app.rps", "eps": "app.eps",
}

// maps are its fields that hold a value a name, as gauges; "" is left out.
var maps = map[string]string{"named_metrics": "app.named", "utilization": "app.utilization", "request_cost": ""}

// Parse reads a report: of the JSON form what begins with JSON or {, a number
// alone as application_utilization, all else as the text form.
func Parse(text string) ([]Metric, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("a load report of %d bytes, at most %d", len(text), maxText)
	}
	text = strings.TrimSpace(text)
	var r report
	if rest, ok := cutWord(text, "JSON"); ok || strings.HasPrefix(text, "{") {
		err := r.json(rest)
		return r.metrics, err
	}
	rest, _ := cutWord(text, "TEXT")
	if v, err := strconv.ParseFloat(rest, 64); err == nil {
		err := r.add("app.utilization", "", v)
		return r.metrics, err
	}
	err := r.text(rest)
	return r.metrics, err
}

// cutWord takes a form's name off; rest is text when it is not there.
func cutWord(text, word string) (rest string, ok bool) {
	if len(text) > len(word) && strings.EqualFold(text[:len(word)], word) && (text[len(word)] == ' ' || text[len(word)] == '\t') {
		return strings.TrimSpace(text[len(word):]), true
	}
	return text, false
}

// report is what has been read so far.
type report struct{ metrics []Metric }

// text reads name=value pairs with commas between; old senders have a colon.
func (r *report) text(text string) error {
	for pair := range strings.SplitSeq(text, ",") {
		i := strings.IndexAny(pair, "=:")
		if i < 0 {
			return fmt.Errorf("%.80q: want NAME=VALUE", pair)
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(pair[i+1:]), 64)
		if err != nil {
			return fmt.Errorf("%.80q: want a number behind the =", pair)
		}
		if err := r.named(strings.TrimSpace(pair[:i]), v); err != nil {
			return err
		}
	}
	return nil
}

// named adds a metric by the name that the text form has for it.
func (r *report) named(name string, v float64) error {
	if gauge := fields[name]; gauge != "" {
		return r.add(gauge, "", v)
	}
	field, item, ok := strings.Cut(name, ".")
	gauge, known := maps[field]
	switch {
	case !ok || !known:
		return r.add("app.named", name, v)
	case gauge == "":
		return nil
	}
	return r.add(gauge, item, v)
}

func (r *report) add(gauge, item string, v float64) error {
	key := monitor.Key{Name: gauge, Item: item}
	if gauge == "app.named" && item == "" {
		return errors.New("a metric without a name")
	}
	if err := key.Check(); err != nil {
		return err
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%v is not finite", key)
	}
	for _, m := range r.metrics {
		if m.Gauge == key {
			return fmt.Errorf("%v is there twice", key)
		}
	}
	if len(r.metrics) == maxMetrics {
		return fmt.Errorf("more than %d metrics", maxMetrics)
	}
	r.metrics = append(r.metrics, Metric{Gauge: key, Value: v})
	return nil
}

// json reads one object of numbers, and objects of numbers below ORCA's maps.
func (r *report) json(text string) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	var object map[string]json.RawMessage
	if err := d.Decode(&object); err != nil {
		return fmt.Errorf("a load report is no JSON object: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("a load report has more behind its JSON object")
	}
	if object == nil {
		return errors.New("a load report is null")
	}
	for name, raw := range object {
		if _, isMap := maps[name]; isMap {
			if err := r.jsonMap(name, raw); err != nil {
				return err
			}
			continue
		}
		var v *float64
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("%.80q of a load report is not a number", name)
		}
		if v == nil {
			continue // null: not known
		}
		if err := r.named(name, *v); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) jsonMap(field string, raw json.RawMessage) error {
	var values map[string]*float64
	if err := json.Unmarshal(raw, &values); err != nil {
		return fmt.Errorf("%.80q of a load report is not an object of numbers", field)
	}
	for name, v := range values {
		if v == nil || maps[field] == "" {
			continue
		}
		if err := r.add(maps[field], name, *v); err != nil {
			return err
		}
	}
	return nil
}
