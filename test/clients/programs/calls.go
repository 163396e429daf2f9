// Go net/http. Arguments: the HTTP version, the base URL, and a URL whose tunnel is refused.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

func main() {
	version, base, elsewhere := os.Args[1], os.Args[2], os.Args[3:]
	transport := &http.Transport{
		Proxy:             viaProxy,
		ForceAttemptHTTP2: version == "HTTP/2.0",
	}
	if version == "HTTP/1.1" {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(true)
	} else if strings.HasPrefix(base, "http:") {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	client := &http.Client{Transport: transport}

	sayAnswer("echo", call(client, "POST", base+"/echo", question()))
	pieces(client, base+"/pieces")
	sayAnswer("denied", call(client, "GET", base+"/secret/a", ""))
	for _, target := range elsewhere {
		_, err := client.Get(target)
		var fault *url.Error
		if errors.As(err, &fault) {
			say("refused", map[string]any{"fault": fault.Error()})
		}
	}
}

// What http.ProxyFromEnvironment does, but also for localhost, which that leaves out.
func viaProxy(request *http.Request) (*url.URL, error) {
	proxy, isSet := os.LookupEnv("HTTPS_PROXY")
	if !isSet || request.URL.Hostname() != "localhost" {
		return http.ProxyFromEnvironment(request)
	}
	return url.Parse(proxy)
}

// A call brings its own grant, unless the tunnel's covers it.
func call(client *http.Client, method, target, body string) *http.Response {
	request, err := http.NewRequest(method, target, strings.NewReader(body))
	must(err)
	if grant, isSet := os.LookupEnv("GRANT"); isSet {
		request.Header.Set("Writ-Grant", grant)
	}
	response, err := client.Do(request)
	must(err)
	return response
}

func pieces(client *http.Client, target string) {
	response := call(client, "GET", target, "")
	defer response.Body.Close()
	piece := make([]byte, 1024)
	for {
		length, err := response.Body.Read(piece)
		if length > 0 {
			say("pieces", map[string]any{"piece": string(piece[:length])})
		}
		if err == io.EOF {
			return
		}
		must(err)
	}
}

func sayAnswer(did string, response *http.Response) {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(err)
	headers := map[string]string{}
	for name, values := range response.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	say(did, map[string]any{
		"status":  response.StatusCode,
		"headers": headers,
		"body":    string(body),
		"version": response.Proto,
	})
}

func say(did string, what map[string]any) {
	what["did"] = did
	must(json.NewEncoder(os.Stdout).Encode(what))
}

func question() string {
	numbers := make([]string, 20_000)
	for i := range numbers {
		numbers[i] = strconv.Itoa(i)
	}
	return strings.Join(numbers, " ")
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
