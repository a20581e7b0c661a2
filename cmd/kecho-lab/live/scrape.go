package live

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// metrics is what an agent's /metrics says: values by the name with its labels.
type metrics map[string]float64

// scrape asks once. Connections are not kept: the agent may be killed next.
func scrape(url string) (metrics, error) {
	client := http.Client{Timeout: startPatience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, res.Status)
	}
	return readMetrics(res.Body)
}

func readMetrics(r io.Reader) (metrics, error) {
	m := metrics{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "} ")
		if !ok {
			name, value, ok = strings.Cut(lines.Text(), " ")
		}
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.HasPrefix(name, "#") {
			m[name] = v
		}
	}
	return m, lines.Err()
}

// sum adds up what a metric counts under all labels that hold with.
func (m metrics) sum(metric string, with ...string) (sum float64) {
next:
	for name, v := range m {
		if name != metric && !strings.HasPrefix(name, metric+"{") {
			continue
		}
		for _, label := range with {
			if !strings.Contains(name, label) {
				continue next
			}
		}
		sum += v
	}
	return sum
}

// messages is what came in of requests and answers, and all about them: an
// event that goes to four peers comes in four times.
func (m metrics) messages() float64 {
	return m.sum("kecho_channel_events_total", `channel="data"`, `direction="in"`)
}
