// Signs a call to idp-bridge, sends it, and prints the answer or the problem. Go 1.21 or later, standard library.
//
//	BRIDGE_URL=http://127.0.0.1:8080 BRIDGE_TENANT=acme BRIDGE_KEY=whsk_… \
//	  go run client.go users.get_by_email '{"email":"ada@acme.example"}'
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Problem is the error of a call that a bridge refused. Switch on Code.
type Problem struct {
	Status     int           `json:"status"`
	Code       string        `json:"code"`
	Title      string        `json:"title"`
	Retryable  bool          `json:"retryable"`
	Outcome    string        `json:"outcome"` // not_applied, or unknown
	RequestID  string        `json:"request_id"`
	Field      string        `json:"field"`
	RetryAfter time.Duration `json:"-"`
}

func (p *Problem) Error() string { return fmt.Sprintf("%s (%d): %s", p.Code, p.Status, p.Title) }

// Bridge has the address of a bridge, and the tenant and the key of its calls.
type Bridge struct{ URL, Tenant, Key string }

var client = http.Client{
	Timeout:       31 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Token returns the token of a signature: v1,… for a key whsec_…, v1a,… for a key whsk_….
func Token(key, id string, timestamp int64, body []byte) (string, error) {
	message := append([]byte(fmt.Sprintf("%s.%d.", id, timestamp)), body...)
	kind, text, _ := strings.Cut(strings.TrimSpace(key), "_")
	secret, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return "", errors.New("the key is not base64")
	case kind == "whsec":
		mac := hmac.New(sha256.New, secret)
		mac.Write(message)
		return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
	case kind == "whsk" && len(secret) == ed25519.SeedSize:
		signature := ed25519.Sign(ed25519.NewKeyFromSeed(secret), message)
		return "v1a," + base64.StdEncoding.EncodeToString(signature), nil
	}
	return "", errors.New("the key begins with neither whsec_ nor whsk_")
}

// NewID returns the id of a new call. A repeated write has the id of its first attempt, so that it runs once.
func NewID() string {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		panic(err)
	}
	return "msg_" + hex.EncodeToString(random)
}

// Call makes a call and returns the body of the answer. A refusal of the bridge is a *Problem.
func (b Bridge) Call(id, kind string, data json.RawMessage) ([]byte, error) {
	now := time.Now()
	body, err := json.Marshal(map[string]any{
		"type": kind, "timestamp": now.UTC().Format(time.RFC3339), "tenant": b.Tenant, "data": data,
	})
	if err != nil {
		return nil, err
	}
	token, err := Token(b.Key, id, now.Unix(), body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest("POST", b.URL+"/v1/tenants/"+b.Tenant+"/webhook", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("content-type", "application/json")
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("webhook-signature", token)
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 256*1024))
	if err != nil {
		return nil, err
	}
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("content-type"))
	if response.StatusCode == http.StatusOK && mediaType == "application/json" {
		return answer, nil
	}
	problem := new(Problem)
	// Without a problem document, the answer is from a proxy, and no statement about a user.
	if mediaType != "application/problem+json" || json.Unmarshal(answer, problem) != nil {
		return nil, fmt.Errorf("status %d is not from a bridge", response.StatusCode)
	}
	if seconds, err := strconv.Atoi(response.Header.Get("retry-after")); err == nil {
		problem.RetryAfter = time.Duration(seconds) * time.Second
	}
	return nil, problem
}

func main() {
	bridge := Bridge{os.Getenv("BRIDGE_URL"), os.Getenv("BRIDGE_TENANT"), os.Getenv("BRIDGE_KEY")}
	answer, err := bridge.Call(NewID(), os.Args[1], json.RawMessage(os.Args[2]))
	if problem := new(Problem); errors.As(err, &problem) {
		fmt.Fprintf(os.Stderr, "%v retryable: %v, outcome: %s\n", problem, problem.Retryable, problem.Outcome)
		os.Exit(1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(answer))
}
