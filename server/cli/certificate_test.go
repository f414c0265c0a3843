package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hone/core/link"
)

// selfSigned writes a certificate for localhost with its key, and makes a client that believes it.
func selfSigned(t *testing.T, dir string) (cert, key string, client *http.Client) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert = writeFile(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	key = writeFile(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})))
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return cert, key, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

// A server that others reach wants a certificate and a token, and then takes runs through TLS with that token alone.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	cert, key, pool := selfSigned(t, dir)
	out, status := finish(t, process(t, dir, "serve", "--addr", "0.0.0.0:0", "--data_dir", data, "--workers", "0", "--tls_cert", cert, "--tls_key", key))
	if status == 0 || !strings.Contains(out, "hone token add") {
		t.Fatalf("without a token: status %d, %s", status, out)
	}
	var secret bytes.Buffer
	c := process(t, dir, "token", "add", "--user", "ada", "--data_dir", data)
	c.Stdout = &secret
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, dir: dir, args: []string{"--workers", "0", "--tls_cert", cert, "--tls_key", key}, url: "http://0.0.0.0:0"}
	s.start()
	t.Cleanup(func() { s.kill(syscall.SIGKILL) })
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "https://"))
	if err != nil {
		t.Fatalf("%s: %v", s.url, err)
	}
	url := "https://localhost:" + port
	l, err := link.Dial(t.Context(), link.Options{URL: url, Token: strings.TrimSpace(secret.String()), HTTP: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if w := l.Welcome(); w.User != "ada" || w.Scope != "run" {
		t.Errorf("%+v", w)
	}
	if _, err := link.Dial(t.Context(), link.Options{URL: url, HTTP: pool}); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("without the token: %v", err)
	}
	s.kill(syscall.SIGTERM)
}
