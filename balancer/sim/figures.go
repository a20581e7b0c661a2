package sim

import (
	"fmt"
	"time"
)

// paperService is how long a request takes in the KECho paper's experiments
// (section 5.4), about.
const paperService = 38 * time.Millisecond

// Figures is the points of the KECho paper's Figures 8 and 9 (section 5.4): a
// cluster of 8 web servers, requests of about 38 ms, clients that wait 5 s. The
// first server is asked more than the others, which are idle; the paper says
// only that one of them is used less than 10 %.
//
//	figure-8   20 to 50 requests a second at the hot server
//	figure-9   50 requests a second there; loads reported 1 to 5 times a second
//	figure-9b  as many; what has waited for 2.5 s goes to 1 to 5 servers
func Figures() []Scenario {
	var list []Scenario
	point := func(figure, x string, at, rate float64) *Scenario {
		list = append(list, Scenario{
			Name: fmt.Sprint(figure, "@", at), Sweep: figure, XName: x, X: at, Dist: Fixed,
			Base: .001, Hot: 1, HotAt: rate * paperService.Seconds(),
		})
		return &list[len(list)-1]
	}
	for _, rate := range []float64{20, 25, 30, 33, 35, 40, 45, 50} {
		point("figure-8", "requests/s at the hot server", rate, rate)
	}
	for _, reports := range []float64{1, 2, 3, 4, 5} {
		s := point("figure-9", "reports/s", reports, 50)
		s.Reports = time.Duration(float64(time.Second) / reports)
	}
	for servers := 1; servers <= 5; servers++ {
		s := point("figure-9b", "servers asked", float64(servers), 50)
		s.Copies = servers
	}
	for i := range list {
		list[i].defaults()
	}
	return list
}
