// A gateway of Go's standard library: it verifies the signature, reads the user and converts it.
//
// Usage: gateway LISTEN URL
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

type call struct {
	Data struct {
		ID string `json:"id"`
	} `json:"data"`
}

type keycloakUser struct {
	ID               string              `json:"id"`
	Email            string              `json:"email"`
	EmailVerified    bool                `json:"emailVerified"`
	Enabled          bool                `json:"enabled"`
	CreatedTimestamp int64               `json:"createdTimestamp"`
	Attributes       map[string][]string `json:"attributes"`
}

type user struct {
	Tenant        string    `json:"tenant"`
	ID            string    `json:"id"`
	Customer      string    `json:"customer"`
	Email         string    `json:"email"`
	CreateTime    time.Time `json:"create_time"`
	EmailVerified bool      `json:"email_verified"`
	Blocked       bool      `json:"blocked"`
}

func isValid(secret []byte, header http.Header, body []byte) bool {
	id, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	expected := mac.Sum(nil)
	for _, token := range strings.Fields(header.Get("webhook-signature")) {
		tag, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(token, "v1,"))
		if err == nil && hmac.Equal(tag, expected) {
			return true
		}
	}
	return false
}

func main() {
	secret, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		log.Fatal(err)
	}
	users := os.Args[2] + "/admin/realms/acme/users/"
	authorization := "Bearer " + strings.Repeat("t", 1200)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, MaxIdleConns: 256}}
	http.HandleFunc("/v1/tenants/acme/webhook", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 16384))
		if err != nil || !isValid(secret, r.Header, body) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var called call
		if json.Unmarshal(body, &called) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, users+called.Data.ID, nil)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		request.Header.Set("authorization", authorization)
		response, err := client.Do(request)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		var found keycloakUser
		if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&found) != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		customer := ""
		if values := found.Attributes["customer_id"]; len(values) > 0 {
			customer = values[0]
		}
		w.Header().Set("content-type", "application/json")
		json.NewEncoder(w).Encode(map[string]user{"user": {
			"acme", found.ID, customer, found.Email, time.UnixMilli(found.CreatedTimestamp).UTC(), found.EmailVerified, !found.Enabled,
		}})
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
