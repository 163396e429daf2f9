// Command compiler is the real OPA, reduced to a function: one JSON document on
// standard input, one on standard output. It opens no file and no socket, so it
// runs as a WASI module wherever Writ runs and authors need neither Go nor opa.
//
// It exits 0 and answers {"ok":false,"faults":[…]} when the policy is wrong; any
// other exit means that this program, or what called it, is broken.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	var request Request
	if err := decoder.Decode(&request); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	response, err := answer(ctx, request)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(response)
}

func answer(ctx context.Context, request Request) (Response, error) {
	switch request.Verb {
	case "build":
		return build(ctx, request)
	case "check":
		return check(request)
	case "fmt":
		return reformat(request), nil
	case "test":
		return runTests(ctx, request)
	case "eval":
		return evaluate(ctx, request)
	case "capabilities":
		return Response{OK: true, Capabilities: capabilities(request.Builtins)}, nil
	default:
		return Response{}, fmt.Errorf("unknown verb %q", request.Verb)
	}
}
