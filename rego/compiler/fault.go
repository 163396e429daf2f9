package main

import (
	"errors"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// faultAt places a fault at a location of the source; nil places it nowhere.
func faultAt(location *ast.Location, code, message string) Fault {
	fault := Fault{Code: code, Message: message}
	if location == nil {
		return fault
	}
	text, _, _ := strings.Cut(string(location.Text), "\n")
	fault.File, fault.Line, fault.Column = location.File, location.Row, location.Col
	fault.Length = utf8.RuneCountInString(text)
	return fault
}

// faultsOf turns what OPA reports into faults. Errors without a position come
// from OPA's own checks of a request (an entrypoint without a rule, say).
func faultsOf(err error) []Fault {
	var list ast.Errors
	if errors.As(err, &list) {
		faults := make([]Fault, 0, len(list))
		for _, item := range list {
			faults = append(faults, faultOf(item))
		}
		return sorted(faults)
	}
	var one *ast.Error
	if errors.As(err, &one) {
		return []Fault{faultOf(one)}
	}
	var unformatted format.UnformattedError
	if errors.As(err, &unformatted) {
		return []Fault{faultAt(unformatted.Loc, "rego_format_error", unformatted.Error())}
	}
	return []Fault{{Code: "rego_compile_error", Message: err.Error()}}
}

func faultOf(item *ast.Error) Fault {
	message := item.Message
	if item.Details != nil && item.Code != ast.ParseErr {
		for _, line := range item.Details.Lines() {
			message += "\n" + line
		}
	}
	return faultAt(item.Location, item.Code, message)
}

func sorted(faults []Fault) []Fault {
	sort.SliceStable(faults, func(i, j int) bool {
		a, b := faults[i], faults[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return faults
}
