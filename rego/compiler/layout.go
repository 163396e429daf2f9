package main

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

var policyPackage = ast.MustParseRef("data.policy")

var libraryPackage = ast.MustParseRef("data.lib")

// answers are the three rules that the base policy reads.
var answers = []string{"deny", "allow", "obligation"}

// layoutFaults holds authors to the shape that the base policy reads: a rule that
// it does not read would never refuse anything.
func layoutFaults(source *Source) []Fault {
	var faults []Fault
	for _, module := range source.authored(source.Modules) {
		faults = append(faults, packageFaults(module)...)
		for _, rule := range module.Rules {
			faults = append(faults, answerFaults(module, rule)...)
		}
	}
	for _, module := range source.authored(source.Tests) {
		faults = append(faults, testFaults(module)...)
	}
	for _, name := range []string{"policy", "lib", "writ"} {
		if file, taken := source.Mounts[name]; taken {
			message := fmt.Sprintf("data.%s belongs to rules: a data file may not define it", name)
			faults = append(faults, Fault{File: file, Line: 1, Column: 1, Code: "data_reserved", Message: message})
		}
	}
	if !source.defines("deny") && !source.defines("allow") {
		message := "no rule named deny or allow in package policy: this folder would decide nothing"
		faults = append(faults, Fault{Code: "policy_empty", Message: message})
	}
	return faults
}

func packageFaults(module *ast.Module) []Fault {
	path := module.Package.Path
	if path.HasPrefix(policyPackage) || (path.HasPrefix(libraryPackage) && len(path) > 2) {
		return nil
	}
	message := fmt.Sprintf("package %s: only policy, policy.* and lib.* are read", name(path))
	return []Fault{faultAt(module.Package.Location, "package_outside", message)}
}

func answerFaults(module *ast.Module, rule *ast.Rule) []Fault {
	answer, isAnswer := answerOf(rule)
	if !isAnswer {
		return nil
	}
	if !inPolicy(module, rule, answer) {
		message := fmt.Sprintf("%s is read only in package policy; %s would decide nothing", answer, name(rule.Ref()))
		return []Fault{faultAt(rule.Head.Location, "answer_elsewhere", message)}
	}
	if answer == "allow" {
		return allowFaults(rule)
	}
	return setFaults(answer, rule)
}

// testFaults: a file of tests is not compiled in, whatever else it holds.
func testFaults(module *ast.Module) []Fault {
	var faults []Fault
	for _, rule := range module.Rules {
		if answer, isAnswer := answerOf(rule); isAnswer && inPolicy(module, rule, answer) {
			message := fmt.Sprintf("a file named _test.rego is not compiled: this %s would decide nothing", answer)
			faults = append(faults, faultAt(rule.Head.Location, "answer_in_test", message))
		}
	}
	return faults
}

// answerOf finds an answer's name anywhere in a rule's name: sub.deny is one in
// another package.
func answerOf(rule *ast.Rule) (string, bool) {
	for _, part := range rule.Head.Ref() {
		for _, answer := range answers {
			if part.Value.Compare(ast.Var(answer)) == 0 || part.Value.Compare(ast.String(answer)) == 0 {
				return answer, true
			}
		}
	}
	return "", false
}

func inPolicy(module *ast.Module, rule *ast.Rule, answer string) bool {
	return module.Package.Path.Equal(policyPackage) && rule.Head.Ref()[0].Value.Compare(ast.Var(answer)) == 0
}

func allowFaults(rule *ast.Rule) []Fault {
	complete := len(rule.Head.Ref()) == 1 && rule.Head.Key == nil && len(rule.Head.Args) == 0
	if complete {
		return nil
	}
	return []Fault{faultAt(rule.Head.Location, "answer_shape", "allow is one boolean: allow if { … }")}
}

func setFaults(answer string, rule *ast.Rule) []Fault {
	isSet := len(rule.Head.Ref()) == 1 && rule.Head.Key != nil && rule.Head.Value == nil
	if !isSet {
		message := fmt.Sprintf("%s is a set: %s contains … if { … }", answer, answer)
		return []Fault{faultAt(rule.Head.Location, "answer_shape", message)}
	}
	if answer == "deny" {
		return reasonFaults(rule)
	}
	return obligationFaults(rule)
}

// name writes a package path as an author does, without the leading data.
func name(path ast.Ref) string {
	return strings.TrimPrefix(path.String(), "data.")
}
