package agent_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// openAPI is what the tests read of an OpenAPI document.
type openAPI struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]*schema }
}

type operation struct {
	OperationID string
	Responses   map[string]struct {
		Content map[string]struct{ Schema *schema }
	}
}

// schema is a JSON Schema, as far as the document uses it.
type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any    // a word, or several
	Properties           map[string]*schema
	Required             []string
	AdditionalProperties any // a bool, or a schema
	Items                *schema
	MinItems, MaxItems   *int
	AnyOf                []*schema
	Enum                 []any
	Format               string
}

// check says where v is not as s has it; "" when it is.
func (d *openAPI) check(s *schema, v any, where string) string {
	if s == nil {
		return ""
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		known := d.Components.Schemas[name]
		if known == nil {
			return where + ": there is no schema " + name
		}
		return d.check(known, v, where)
	}
	if len(s.AnyOf) > 0 {
		var all []string
		for _, one := range s.AnyOf {
			wrong := d.check(one, v, where)
			if wrong == "" {
				return ""
			}
			all = append(all, wrong)
		}
		return strings.Join(all, ", or ")
	}
	if !s.hasType(v) {
		return fmt.Sprintf("%s: %v is no %v", where, v, s.Type)
	}
	if len(s.Enum) > 0 && v != nil && !slices.Contains(s.Enum, v) {
		return fmt.Sprintf("%s: %v is none of %v", where, v, s.Enum)
	}
	switch v := v.(type) {
	case map[string]any:
		return d.checkObject(s, v, where)
	case []any:
		if s.MinItems != nil && len(v) < *s.MinItems || s.MaxItems != nil && len(v) > *s.MaxItems {
			return fmt.Sprintf("%s: %d items", where, len(v))
		}
		for i, item := range v {
			if wrong := d.check(s.Items, item, fmt.Sprintf("%s[%d]", where, i)); wrong != "" {
				return wrong
			}
		}
	case string:
		if _, err := time.Parse(time.RFC3339Nano, v); s.Format == "date-time" && err != nil {
			return where + ": " + err.Error()
		}
	}
	return ""
}

func (d *openAPI) checkObject(s *schema, v map[string]any, where string) string {
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return where + ": " + name + " is missing"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		property := s.Properties[name]
		if property == nil {
			switch more := s.AdditionalProperties.(type) {
			case bool:
				if !more {
					return where + ": " + name + " is not described"
				}
			case map[string]any:
				text, _ := json.Marshal(more)
				property = new(schema)
				if err := json.Unmarshal(text, property); err != nil {
					return where + ": " + err.Error()
				}
			}
		}
		if wrong := d.check(property, v[name], where+"."+name); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (s *schema) hasType(v any) bool {
	var types []any
	switch t := s.Type.(type) {
	case nil:
		return true
	case string:
		types = []any{t}
	case []any:
		types = t
	}
	return slices.ContainsFunc(types, func(t any) bool {
		switch v := v.(type) {
		case nil:
			return t == "null"
		case bool:
			return t == "boolean"
		case string:
			return t == "string"
		case float64:
			return t == "number" || t == "integer" && v == math.Trunc(v)
		case []any:
			return t == "array"
		}
		return t == "object"
	})
}
