package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// reformat answers the files whose text changes, or the faults of those that
// cannot be read.
func reformat(request Request) Response {
	changed := map[string]string{}
	var faults []Fault
	for _, file := range slices.Sorted(maps.Keys(request.Files)) {
		if !strings.HasSuffix(file, ".rego") {
			continue
		}
		text := request.Files[file]
		pretty, err := format.SourceWithOpts(file, []byte(text), format.Opts{RegoVersion: ast.RegoV1})
		if err != nil {
			faults = append(faults, faultsOf(err)...)
			continue
		}
		if string(pretty) != text {
			changed[file] = string(pretty)
		}
	}
	if len(faults) > 0 {
		return Response{Faults: faults}
	}
	return Response{OK: true, Files: changed}
}
