// SPDX-License-Identifier: Apache-2.0

import java.io.FileInputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import java.util.Base64;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import javax.net.ssl.TrustManagerFactory;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscription;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.ProtocolNegotiation;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeAsyncClient;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithBidirectionalStreamInput;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithBidirectionalStreamRequest;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithBidirectionalStreamResponseHandler;

/**
 * The unmodified AWS SDK for Java 2 talks to the emulator: a typed greeting, a spoken question that is answered with a tool, a
 * barge-in, and the close. Prints what happens as JSON lines. Arguments: two files of PCM, 16 kHz, 16 bit, mono.
 */
public final class NovaSonicPeer {
  private static final String PLAIN = "{\"mediaType\":\"text/plain\"}";
  private static final LinkedBlockingQueue<String> OUTGOING = new LinkedBlockingQueue<>();
  private static final LinkedBlockingQueue<String> INCOMING = new LinkedBlockingQueue<>();
  private static final String END = "";
  private static volatile byte[] speech = new byte[0];
  private static volatile boolean talking = true;

  public static void main(String[] args) throws Exception {
    TrustManagerFactory trust = trust(System.getenv("AWS_CA_BUNDLE"));
    try (BedrockRuntimeAsyncClient client =
        BedrockRuntimeAsyncClient.builder()
            .endpointOverride(URI.create(System.getenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME")))
            .httpClientBuilder(
                NettyNioAsyncHttpClient.builder()
                    .protocol(Protocol.HTTP2)
                    .protocolNegotiation(ProtocolNegotiation.ALPN)
                    .tlsTrustManagersProvider(trust::getTrustManagers))
            .build()) {
      open();
      var call =
          client.invokeModelWithBidirectionalStream(
              InvokeModelWithBidirectionalStreamRequest.builder()
                  .modelId("amazon.nova-2-sonic-v1:0")
                  .build(),
              input(),
              InvokeModelWithBidirectionalStreamResponseHandler.builder()
                  .subscriber(
                      InvokeModelWithBidirectionalStreamResponseHandler.Visitor.builder()
                          .onChunk(chunk -> INCOMING.add(chunk.bytes().asUtf8String()))
                          .build())
                  .build());
      call.whenComplete((done, error) -> INCOMING.add(END));
      Thread microphone = new Thread(NovaSonicPeer::microphone);
      microphone.setDaemon(true);
      microphone.start();
      converse(args, microphone);
      call.get(20, TimeUnit.SECONDS);
      System.out.println("{\"event\":\"closed\"}");
    }
    System.exit(0);
  }

  private static void converse(String[] args, Thread microphone) throws Exception {
    int replies = 0;
    for (String json = take(); !json.equals(END); json = take()) {
      if (json.contains("\"textOutput\"")) {
        System.out.printf(
            "{\"event\":\"text\",\"role\":\"%s\",\"text\":\"%s\"}%n",
            field(json, "role"), field(json, "content"));
      } else if (json.contains("\"toolUse\"")) {
        System.out.printf("{\"event\":\"tool\",\"name\":\"%s\"}%n", field(json, "toolName"));
        content(
            "result",
            "\"type\":\"TOOL\",\"role\":\"TOOL\",\"interactive\":false,\"toolResultInputConfiguration\":{\"toolUseId\":\""
                + field(json, "toolUseId")
                + "\",\"type\":\"TEXT\",\"textInputConfiguration\":" + PLAIN + "}",
            "toolResult",
            "{\\\"time\\\":\\\"five past nine\\\"}");
      } else if (json.contains("\"contentEnd\"")) {
        if (json.contains("INTERRUPTED")) System.out.println("{\"event\":\"interrupted\"}");
        if (!field(json, "type").equals("AUDIO") || !json.contains("END_TURN")) continue;
        replies++;
        if (replies < 3) speech = Files.readAllBytes(Path.of(args[replies - 1]));
        if (replies == 3) {
          talking = false;
          microphone.join();
          send("contentEnd", at("audio"));
          send("promptEnd", "\"promptName\":\"p\"");
          send("sessionEnd", "");
          OUTGOING.add(END);
        }
      }
    }
  }

  private static void open() {
    send("sessionStart", "\"inferenceConfiguration\":{\"maxTokens\":1024,\"topP\":0.9,\"temperature\":0.7}");
    send(
        "promptStart",
        "\"promptName\":\"p\",\"textOutputConfiguration\":" + PLAIN
            + ",\"audioOutputConfiguration\":{" + lpcm(24000) + ",\"voiceId\":\"tiffany\"}"
            + ",\"toolUseOutputConfiguration\":{\"mediaType\":\"application/json\"}"
            + ",\"toolConfiguration\":{\"tools\":[{\"toolSpec\":{\"name\":\"get_current_time\",\"description\":\"Tells the time.\","
            + "\"inputSchema\":{\"json\":\"{\\\"type\\\":\\\"object\\\",\\\"properties\\\":{}}\"}}}]}");
    text("system", "SYSTEM", "Be brief.", false);
    send(
        "contentStart",
        at("audio") + ",\"type\":\"AUDIO\",\"role\":\"USER\",\"interactive\":true,\"audioInputConfiguration\":{"
            + lpcm(16000) + "}");
    audio(new byte[4096]);
    text("greeting", "USER", "Greet the caller.", true);
  }

  private static void microphone() {
    try {
      while (talking) {
        byte[] now = speech;
        byte[] frame = Arrays.copyOf(now, 1024);
        if (now == speech) speech = now.length > 1024 ? Arrays.copyOfRange(now, 1024, now.length) : new byte[0];
        audio(frame);
        Thread.sleep(32);
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }

  private static void audio(byte[] pcm) {
    send("audioInput", at("audio") + ",\"content\":\"" + Base64.getEncoder().encodeToString(pcm) + "\"");
  }

  private static void text(String name, String role, String words, boolean interactive) {
    content(
        name,
        "\"type\":\"TEXT\",\"role\":\"" + role + "\",\"interactive\":" + interactive
            + ",\"textInputConfiguration\":" + PLAIN,
        "textInput",
        words);
  }

  private static void content(String name, String start, String event, String content) {
    send("contentStart", at(name) + "," + start);
    send(event, at(name) + ",\"content\":\"" + content + "\"");
    send("contentEnd", at(name));
  }

  private static String at(String name) {
    return "\"promptName\":\"p\",\"contentName\":\"" + name + "\"";
  }

  private static String lpcm(int rate) {
    return "\"mediaType\":\"audio/lpcm\",\"sampleRateHertz\":" + rate
        + ",\"sampleSizeBits\":16,\"channelCount\":1,\"encoding\":\"base64\",\"audioType\":\"SPEECH\"";
  }

  private static void send(String name, String body) {
    OUTGOING.add("{\"event\":{\"" + name + "\":{" + body + "}}}");
  }

  private static String take() throws InterruptedException {
    String json = INCOMING.poll(60, TimeUnit.SECONDS);
    if (json == null) throw new IllegalStateException("no event for a minute");
    return json;
  }

  private static String field(String json, String name) {
    var matcher = Pattern.compile("\"" + name + "\":\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
    return matcher.find() ? matcher.group(1) : "";
  }

  /** What is sent, one event for each that the SDK asks for. */
  private static Publisher<InvokeModelWithBidirectionalStreamInput> input() {
    return subscriber ->
        subscriber.onSubscribe(
            new Subscription() {
              private final LinkedBlockingQueue<Long> asked = new LinkedBlockingQueue<>();
              private volatile boolean over;

              {
                Thread sender = new Thread(this::run);
                sender.setDaemon(true);
                sender.start();
              }

              private void run() {
                try {
                  while (!over) {
                    for (long left = asked.take(); left > 0 && !over; left--) {
                      String json = OUTGOING.take();
                      if (json.equals(END)) {
                        over = true;
                        subscriber.onComplete();
                      } else {
                        subscriber.onNext(part(json));
                      }
                    }
                  }
                } catch (InterruptedException stopped) {
                  Thread.currentThread().interrupt();
                }
              }

              @Override
              public void request(long count) {
                asked.add(count);
              }

              @Override
              public void cancel() {
                over = true;
              }
            });
  }

  private static InvokeModelWithBidirectionalStreamInput part(String json) {
    return InvokeModelWithBidirectionalStreamInput.chunkBuilder()
        .bytes(SdkBytes.fromUtf8String(json))
        .build();
  }

  private static TrustManagerFactory trust(String pem) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (FileInputStream file = new FileInputStream(pem)) {
      store.setCertificateEntry(
          "emulator", CertificateFactory.getInstance("X.509").generateCertificate(file));
    }
    TrustManagerFactory factory =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    return factory;
  }
}
