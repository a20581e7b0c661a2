// Package cloudevents reads and writes CloudEvents 1.0: the JSON format, and
// the three modes of the HTTP binding.
//
// # Vocabulary
//
// An Event has attributes and data. id, source and type are required, and
// specversion must be 1.0; subject, time, dataschema and datacontenttype have a
// meaning, all others are extensions. Of the modes, binary has the attributes
// in header fields and the data in the body, structured one event as JSON, and
// batch a JSON list of them.
//
// # How it is used
//
//	events, err := cloudevents.Decode(r.Header, body)
//	text, err := json.Marshal(events[0])
//
// # Concurrency
//
// Functions only; an Event belongs to who has it.
//
// # Limits
//
// A batch has at most MaxBatch events. A name is lower-case letters and digits,
// as the specification wants it, and no longer than 64. A value is a string, a
// bool or an integer; there are no others in CloudEvents. What is larger than a
// reader wants it bounds itself: Decode is given bytes.
//
// # Testing
//
// Decode is fuzzed: what it reads it writes, and reads the same again.
package cloudevents
