package main

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

var reasonName = regexp.MustCompile(`^[a-z0-9_.]{1,64}$`)

// obligations that the engine knows; each takes a positive safe integer.
var obligations = map[string]bool{"max_seconds": true, "max_request_bytes": true, "max_response_bytes": true}

// reasonFaults judges a reason that is written out: it goes onto receipts, which
// carry names only.
func reasonFaults(rule *ast.Rule) []Fault {
	key := rule.Head.Key
	if !ast.IsConstant(key.Value) {
		return nil
	}
	text, isString := key.Value.(ast.String)
	if isString && reasonName.MatchString(string(text)) {
		return nil
	}
	message := fmt.Sprintf("%s is not a reason: use a name of a-z, 0-9, _ and ., at most 64 long", key)
	return []Fault{faultAt(key.Location, "reason_name", message)}
}

// obligationFaults judges what is written out of an obligation; the engine denies
// what only shows when it runs.
func obligationFaults(rule *ast.Rule) []Fault {
	key := rule.Head.Key
	object, isObject := key.Value.(ast.Object)
	if !isObject {
		if ast.IsConstant(key.Value) {
			return []Fault{faultAt(key.Location, "obligation_shape", `an obligation is {"type": …, "value": …}`)}
		}
		return nil
	}
	kind, value := object.Get(ast.StringTerm("type")), object.Get(ast.StringTerm("value"))
	if kind == nil || value == nil || object.Len() != 2 {
		return []Fault{faultAt(key.Location, "obligation_shape", `an obligation is {"type": …, "value": …}`)}
	}
	return append(kindFaults(kind), valueFaults(value)...)
}

func kindFaults(kind *ast.Term) []Fault {
	text, isString := kind.Value.(ast.String)
	if !ast.IsConstant(kind.Value) || (isString && obligations[string(text)]) {
		return nil
	}
	message := fmt.Sprintf("no obligation %s: there are max_seconds, max_request_bytes and max_response_bytes", kind)
	return []Fault{faultAt(kind.Location, "obligation_unknown", message)}
}

func valueFaults(value *ast.Term) []Fault {
	if !ast.IsConstant(value.Value) {
		return nil
	}
	if number, isNumber := value.Value.(ast.Number); isNumber {
		whole, err := strconv.ParseInt(string(number), 10, 64)
		if err == nil && whole > 0 && whole <= 1<<53-1 {
			return nil
		}
	}
	message := fmt.Sprintf("%s is not a limit: use a positive whole number", value)
	return []Fault{faultAt(value.Location, "obligation_value", message)}
}
