package balancer

import (
	"github.com/dunglas/httpsfv"

	"kecho/balancer/policy"
)

// urgencyOf is how urgent a request says it is: u in its Priority fields (RFC
// 9218, section 4), 0 to 7. What is no such header, or beyond that, says
// nothing. i, that the answer is worth something before it is whole, plays no
// part: a request has one place until it is answered.
func urgencyOf(values []string) policy.Class {
	if len(values) == 0 {
		return 0
	}
	says, err := httpsfv.UnmarshalDictionary(values)
	if err != nil {
		return 0
	}
	member, _ := says.Get("u")
	item, ok := member.(httpsfv.Item)
	if !ok {
		return 0
	}
	const usual = 3
	if u, ok := item.Value.(int64); ok && u >= 0 && u <= 7 {
		return policy.Class(u - usual)
	}
	return 0
}
