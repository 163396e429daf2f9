package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// Source is a parsed policy folder. A data file is mounted at its folder, as in
// an OPA bundle: hosts/data.json becomes data.hosts.
type Source struct {
	Modules map[string]*ast.Module
	Tests   map[string]*ast.Module
	Data    map[string]any
	// Base holds the paths of Writ's own files.
	Base []string
	// Mounts names the file that defined each top-level key of Data.
	Mounts map[string]string
}

// parse reads every file, and reports every file that it cannot read.
func parse(request Request) (*Source, []Fault) {
	source := &Source{
		Modules: map[string]*ast.Module{}, Tests: map[string]*ast.Module{},
		Data: map[string]any{}, Base: slices.Sorted(maps.Keys(request.Base)), Mounts: map[string]string{},
	}
	options := ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities(request.Builtins)}
	var faults []Fault
	for _, file := range source.Base {
		faults = append(faults, source.add(file, request.Base[file], options)...)
	}
	for _, file := range slices.Sorted(maps.Keys(request.Files)) {
		if strings.HasPrefix(file, "writ/") && request.Base != nil {
			faults = append(faults, Fault{File: file, Code: "path_reserved", Message: "the folder writ/ belongs to the base policy"})
			continue
		}
		faults = append(faults, source.add(file, request.Files[file], options)...)
	}
	return source, faults
}

func (source *Source) add(file, text string, options ast.ParserOptions) []Fault {
	switch {
	case strings.HasSuffix(file, ".rego"):
		return source.addModule(file, text, options)
	case path.Base(file) == "data.json", path.Base(file) == "data.yaml":
		return source.addData(file, text)
	default:
		return []Fault{{File: file, Code: "file_name", Message: "only .rego, data.json and data.yaml files are read"}}
	}
}

func (source *Source) addModule(file, text string, options ast.ParserOptions) []Fault {
	module, err := ast.ParseModuleWithOpts(file, text, options)
	if err != nil {
		return faultsOf(err)
	}
	if module == nil {
		return []Fault{{File: file, Line: 1, Column: 1, Code: "file_empty", Message: "the file holds no package"}}
	}
	if strings.HasSuffix(file, "_test.rego") {
		source.Tests[file] = module
	} else {
		source.Modules[file] = module
	}
	return nil
}

func (source *Source) addData(file, text string) []Fault {
	if message := duplicates(text, path.Ext(file)); message != "" {
		return []Fault{{File: file, Line: 1, Column: 1, Code: "data_duplicate", Message: message}}
	}
	var value any
	if err := util.Unmarshal([]byte(text), &value); err != nil {
		return []Fault{{File: file, Line: 1, Column: 1, Code: "data_unreadable", Message: err.Error()}}
	}
	document, isObject := value.(map[string]any)
	if !isObject {
		return []Fault{{File: file, Line: 1, Column: 1, Code: "data_not_object", Message: "a data file holds one object"}}
	}
	for _, name := range slices.Backward(folders(file)) {
		document = map[string]any{name: document}
	}
	for name := range document {
		source.Mounts[name] = file
	}
	return merge(source.Data, document, file, nil)
}

func folders(file string) []string {
	folder := path.Dir(file)
	if folder == "." {
		return nil
	}
	return strings.Split(folder, "/")
}

// merge refuses two files that define the same value: which one won would
// depend on their names.
func merge(into, from map[string]any, file string, at []string) []Fault {
	var faults []Fault
	for _, name := range slices.Sorted(maps.Keys(from)) {
		here := append(slices.Clone(at), name)
		existing, taken := into[name]
		if !taken {
			into[name] = from[name]
			continue
		}
		left, leftIsObject := existing.(map[string]any)
		right, rightIsObject := from[name].(map[string]any)
		if leftIsObject && rightIsObject {
			faults = append(faults, merge(left, right, file, here)...)
			continue
		}
		message := fmt.Sprintf("data.%s is already defined by another file", strings.Join(here, "."))
		faults = append(faults, Fault{File: file, Line: 1, Column: 1, Code: "data_conflict", Message: message})
	}
	return faults
}

// authored are the modules that are not Writ's own, in order of their paths.
func (source *Source) authored(modules map[string]*ast.Module) []*ast.Module {
	var list []*ast.Module
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		if !slices.Contains(source.Base, file) {
			list = append(list, modules[file])
		}
	}
	return list
}

// all joins modules and their tests, for what runs tests.
func (source *Source) all() map[string]*ast.Module {
	modules := maps.Clone(source.Modules)
	maps.Copy(modules, source.Tests)
	return modules
}
