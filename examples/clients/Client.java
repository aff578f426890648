// Signs a call to idp-bridge, sends it, and prints the answer or the problem. Java 17 or later, standard library.
//
//   BRIDGE_URL=http://127.0.0.1:8080 BRIDGE_TENANT=acme BRIDGE_KEY=whsk_… \
//     java Client.java users.get_by_email '{"email":"ada@acme.example"}'
import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.Signature;
import java.security.spec.EdECPrivateKeySpec;
import java.security.spec.NamedParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.UUID;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Client {
    /** The error of a call that a bridge refused. Switch on {@code code}. */
    static class ProblemException extends Exception {
        final String code;
        final int status;
        final boolean retryable;
        /** {@code not_applied}, or {@code unknown} if a write may have taken effect. */
        final String outcome;
        /** The seconds to wait before a retry, or -1. */
        final long retryAfter;

        ProblemException(String problem, int status, long retryAfter) {
            super(member(problem, "code") + " (" + status + "): " + member(problem, "title"));
            this.code = member(problem, "code");
            this.status = status;
            this.retryable = member(problem, "retryable").equals("true");
            this.outcome = member(problem, "outcome");
            this.retryAfter = retryAfter;
        }

        /** Returns a member of a flat JSON object. Use a JSON library if your project has one. */
        private static String member(String json, String name) {
            var member = Pattern.compile("\"" + name + "\":\"?([^\",}]*)").matcher(json);
            return member.find() ? member.group(1) : "";
        }
    }

    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final URI url;
    private final String tenant;
    private final String key;

    Client(String url, String tenant, String key) {
        this.url = URI.create(url + "/v1/tenants/" + tenant + "/webhook");
        this.tenant = tenant;
        this.key = key.strip();
    }

    /** Returns the token of a signature: v1,… for a key whsec_…, v1a,… for a key whsk_…. */
    static String token(String key, String id, long timestamp, String body) throws GeneralSecurityException {
        var message = (id + "." + timestamp + "." + body).getBytes(UTF_8);
        var secret = Base64.getDecoder().decode(key.substring(key.indexOf('_') + 1));
        if (key.startsWith("whsec_")) {
            var mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret, "HmacSHA256"));
            return "v1," + Base64.getEncoder().encodeToString(mac.doFinal(message));
        }
        if (!key.startsWith("whsk_")) throw new IllegalArgumentException("the key begins with neither whsec_ nor whsk_");
        var seed = new EdECPrivateKeySpec(NamedParameterSpec.ED25519, secret);
        var signature = Signature.getInstance("Ed25519");
        signature.initSign(KeyFactory.getInstance("Ed25519").generatePrivate(seed));
        signature.update(message);
        return "v1a," + Base64.getEncoder().encodeToString(signature.sign());
    }

    /** Makes a call. To repeat a write, pass the id of the first attempt, so that it runs once. */
    String call(String id, String type, String data) throws Exception {
        var body = "{\"type\":\"%s\",\"timestamp\":\"%s\",\"tenant\":\"%s\",\"data\":%s}"
            .formatted(type, Instant.now(), tenant, data);
        long timestamp = Instant.now().getEpochSecond();
        var request = HttpRequest.newBuilder(url).timeout(Duration.ofSeconds(31))
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", Long.toString(timestamp))
            .header("webhook-signature", token(key, id, timestamp, body))
            .POST(HttpRequest.BodyPublishers.ofString(body));
        var response = http.send(request.build(), BodyHandlers.ofString());
        var mediaType = response.headers().firstValue("content-type").orElse("").split(";")[0];
        if (response.statusCode() == 200 && mediaType.equals("application/json")) return response.body();
        // Without a problem document, the answer is from a proxy, and no statement about a user.
        if (!mediaType.equals("application/problem+json")) {
            throw new IllegalStateException("status " + response.statusCode() + " is not from a bridge");
        }
        var retryAfter = response.headers().firstValueAsLong("retry-after").orElse(-1);
        throw new ProblemException(response.body(), response.statusCode(), retryAfter);
    }

    public static void main(String[] arguments) throws Exception {
        var client = new Client(System.getenv("BRIDGE_URL"), System.getenv("BRIDGE_TENANT"), System.getenv("BRIDGE_KEY"));
        try {
            System.out.println(client.call("msg_" + UUID.randomUUID(), arguments[0], arguments[1]));
        } catch (ProblemException problem) {
            System.err.printf("%s retryable: %b, outcome: %s%n", problem.getMessage(), problem.retryable, problem.outcome);
            System.exit(1);
        }
    }
}
