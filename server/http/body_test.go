package http

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Who announces a body and does not send it is not waited for, whoever they are and whatever they ask.
func TestBodyThatDoesNotCome(t *testing.T) {
	o := openOffice(t)
	s, err := New(Options{API: o.api})
	if err != nil {
		t.Fatal(err)
	}
	s.body = 200 * time.Millisecond
	server := httptest.NewServer(s)
	defer server.Close()
	for what, want := range map[string]string{
		"POST /en/server/enter": "", "PUT /files/" + strings.Repeat("0", 64): "401", "POST /": "405", "GET /metrics": "413", "GET /ready": "413",
	} {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n", what)
		in := bufio.NewReader(c)
		r, err := http.ReadResponse(in, nil)
		if err != nil || want != "" && !strings.HasPrefix(r.Status, want) {
			t.Errorf("%s: %v, %v, want %s", what, r, err, want)
			continue
		}
		io.Copy(io.Discard, r.Body)
		if _, err := in.ReadByte(); err != io.EOF {
			t.Errorf("%s: the connection stays: %v", what, err)
		}
	}
}

// The deadline of a body does not end the request that it came with.
func TestBodyThatCame(t *testing.T) {
	ended := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bound(w, r, 50*time.Millisecond)
		io.Copy(io.Discard, r.Body)
		time.Sleep(150 * time.Millisecond)
		ended <- r.Context().Err()
	}))
	defer server.Close()
	r, err := http.Post(server.URL, "text/plain", strings.NewReader("all of it"))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Connections beyond the most are closed, and those that ended are not counted.
func TestCrowd(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = crowd(1)
	server.Start()
	defer server.Close()
	answered := func(c net.Conn) bool {
		c.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err := bufio.NewReader(c).ReadByte()
		return err == nil
	}
	dial := func() net.Conn {
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, second := dial(), dial()
	defer second.Close()
	if !answered(first) || answered(second) {
		t.Error("the second of two is taken, or the first is not")
	}
	first.Close()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c := dial()
		ok := answered(c)
		c.Close()
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatal("one that has ended is still counted")
		}
	}
}
