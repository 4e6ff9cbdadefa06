// SPDX-License-Identifier: Apache-2.0

// A server for Bedrock's bidirectional stream that shares nothing with the emulator: Go's HTTP/2, AWS's own codec for event
// streams, and what AWS's guide (nova2-userguide, sonic-input-events and sonic-output-events) and public reports of refusals
// say. It answers typed text, and checks no signatures. `-break RULE` refuses what that rule allows, or the other way round.
// Prints its address.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

type fields = map[string]any

var broken = flag.String("break", "", "name of the rule to break")
var toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

const parse = "Unable to parse input chunk. Please check input format contains correct format."

// refuses says whether this server refuses what breaks a rule.
func refuses(rule string, byDefault bool) bool { return byDefault != (rule == *broken) }

type session struct {
	mutex    sync.Mutex
	out      http.ResponseWriter
	over     bool
	prompt   string
	contents map[string]fields
	roles    []string
	replies  int
}

func (s *session) write(kind string, payload fields, headers ...string) {
	body, _ := json.Marshal(payload)
	message := eventstream.Message{Payload: body}
	for i := 0; i < len(headers); i += 2 {
		message.Headers.Set(headers[i], eventstream.StringValue(headers[i+1]))
	}
	message.Headers.Set(":content-type", eventstream.StringValue("application/json"))
	message.Headers.Set(":message-type", eventstream.StringValue(kind))
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.over {
		return
	}
	_ = eventstream.NewEncoder().Encode(s.out, message)
	s.out.(http.Flusher).Flush()
}

func (s *session) send(name string, parts ...fields) {
	body := fields{"promptName": s.prompt, "sessionId": "s"}
	for _, part := range parts {
		for key, value := range part {
			body[key] = value
		}
	}
	event, _ := json.Marshal(fields{"event": fields{name: body}})
	s.write("event", fields{"bytes": base64.StdEncoding.EncodeToString(event)}, ":event-type", "chunk")
}

// reply says one sentence. Its FINAL text comes seconds later, when no client of this server is there any more.
func (s *session) reply() {
	completion := fields{"completionId": "c"}
	if s.replies++; s.replies == 1 {
		s.send("completionStart", completion)
	}
	block := func(kind string, start fields, content string, stop string) {
		at := fields{"completionId": "c", "contentId": fmt.Sprintf("%s-%d-%s", kind, s.replies, stop)}
		s.send("contentStart", at, fields{"type": kind, "role": "ASSISTANT"}, start)
		s.send(strings.ToLower(kind)+"Output", at, fields{"content": content, "role": "ASSISTANT"})
		s.send("contentEnd", at, fields{"type": kind, "stopReason": stop})
	}
	block("TEXT", fields{"additionalModelFields": `{"generationStage":"SPECULATIVE"}`,
		"textOutputConfiguration": fields{"mediaType": "text/plain"}}, "Hello.", "PARTIAL_TURN")
	block("AUDIO", fields{"audioOutputConfiguration": fields{"mediaType": "audio/lpcm", "sampleRateHertz": 24000,
		"sampleSizeBits": 16, "channelCount": 1, "encoding": "base64"}},
		base64.StdEncoding.EncodeToString(make([]byte, 3840)), "END_TURN")
}

func (s *session) usage() {
	tokens := fields{"input": fields{"speechTokens": 0, "textTokens": 22}, "output": fields{"speechTokens": 0, "textTokens": 0}}
	s.send("usageEvent", fields{"completionId": "c", "details": fields{"delta": tokens, "total": tokens},
		"totalInputTokens": 22, "totalOutputTokens": 0, "totalTokens": 22})
}

// checkPrompt looks at the voice and the tools of a prompt. It returns why the prompt is refused.
func checkPrompt(body fields) string {
	audio, _ := body["audioOutputConfiguration"].(fields)
	voice, _ := audio["voiceId"].(string)
	if voice != strings.ToLower(voice) && refuses("voice", true) {
		return "Received invalid id: '" + voice + "'"
	}
	configuration, _ := body["toolConfiguration"].(fields)
	tools, _ := configuration["tools"].([]any)
	for _, tool := range tools {
		spec := tool.(fields)["toolSpec"].(fields)
		if _, text := spec["inputSchema"].(fields)["json"].(string); !text && refuses("schema-string", true) {
			return parse
		}
		if name, _ := spec["name"].(string); !toolName.MatchString(name) && refuses("tool-name", false) {
			return "Invalid input request"
		}
	}
	return ""
}

// handle takes an event of the client. It returns why it is refused.
func (s *session) handle(name string, body fields) string {
	content, _ := body["contentName"].(string)
	switch name {
	case "sessionStart":
		if body["inferenceConfiguration"] == nil && refuses("inference-configuration", false) {
			return "Invalid input request"
		}
	case "promptStart":
		s.prompt, _ = body["promptName"].(string)
		time.AfterFunc(254*time.Millisecond, s.usage)
		return checkPrompt(body)
	case "contentStart":
		role, _ := body["role"].(string)
		if len(s.contents) == 0 && role != "SYSTEM" && refuses("system-first", true) {
			return "First content must have SYSTEM role"
		}
		last := len(s.roles) - 1
		if role == "ASSISTANT" && (last < 0 || s.roles[last] == "SYSTEM") && refuses("history-first-user", true) {
			return "First message in chat history should not be Assistant"
		}
		s.contents[content] = body
		s.roles = append(s.roles, role)
	case "contentEnd":
		ended := s.contents[content]
		if ended["type"] == "TEXT" && ended["interactive"] == true {
			s.reply()
		}
	case "promptEnd":
		s.send("completionEnd", fields{"completionId": "c", "stopReason": "END_TURN"})
	}
	return ""
}

func (s *session) end() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.over = true
}

func serve(out http.ResponseWriter, request *http.Request) {
	out.Header().Set("content-type", "application/vnd.amazon.eventstream")
	s := &session{out: out, contents: map[string]fields{}}
	defer s.end()
	for decoder := eventstream.NewDecoder(); ; {
		signed, err := decoder.Decode(request.Body, nil)
		if err != nil || len(signed.Payload) == 0 {
			return
		}
		message, err := eventstream.NewDecoder().Decode(bytes.NewReader(signed.Payload), nil)
		var part struct{ Bytes []byte }
		var chunk struct{ Event map[string]fields }
		if err != nil || json.Unmarshal(message.Payload, &part) != nil || json.Unmarshal(part.Bytes, &chunk) != nil {
			return
		}
		for name, body := range chunk.Event {
			if name == "sessionEnd" {
				return
			}
			if why := s.handle(name, body); why != "" {
				s.write("exception", fields{"message": "RequestId=r : " + why}, ":exception-type", "validationException")
				return
			}
		}
	}
}

func main() {
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{Handler: http.HandlerFunc(serve), Protocols: protocols}
	log.Fatal(server.Serve(listener))
}
