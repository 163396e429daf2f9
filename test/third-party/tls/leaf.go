// Opens TLS as `host` with `address port` for each triple after the file of the authority.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
)

func main() {
	pem, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		panic("no authority")
	}
	for _, triple := range os.Args[2:] {
		parts := strings.Split(triple, ",")
		config := &tls.Config{ServerName: parts[0], RootCAs: roots}
		connection, err := tls.Dial("tcp", net.JoinHostPort(parts[1], parts[2]), config)
		if err != nil {
			fmt.Println(parts[0], err)
			continue
		}
		fmt.Println(parts[0], "ok")
		connection.Close()
	}
}
