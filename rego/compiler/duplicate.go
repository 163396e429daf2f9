package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// duplicates says what a data file names twice: one of the two would be lost, and
// with it perhaps half of a list of what is forbidden.
func duplicates(text, extension string) string {
	if extension == ".yaml" {
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return err.Error()
		}
		return ""
	}
	if name, twice := duplicateKey(text); twice {
		return fmt.Sprintf("member %q is named twice", name)
	}
	return ""
}

// duplicateKey finds a member that some object of a JSON text names twice. Text
// that is no JSON has none; who parses it will say so.
func duplicateKey(text string) (string, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	var open []map[string]bool // nil for an array
	isKey := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", false
		}
		switch token := token.(type) {
		case json.Delim:
			open = nested(open, token)
		case string:
			if isKey && open[len(open)-1][token] {
				return token, true
			} else if isKey {
				open[len(open)-1][token] = true
				isKey = false
				continue
			}
		}
		isKey = len(open) > 0 && open[len(open)-1] != nil
	}
}

func nested(open []map[string]bool, delimiter json.Delim) []map[string]bool {
	switch delimiter {
	case '{':
		return append(open, map[string]bool{})
	case '[':
		return append(open, nil)
	default:
		return open[:len(open)-1]
	}
}
