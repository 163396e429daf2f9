// Java's HttpClient. Arguments: the HTTP version, the base URL, and a URL whose tunnel is refused.
// Environment: PROXY_PORT and TOKEN for the forward port, or GRANT for the others; ASKED=1 answers a challenge.
import java.io.InputStream;
import java.net.Authenticator;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

public class Calls {
    static final String TOKEN = System.getenv("TOKEN");
    static final boolean ASKED = System.getenv("ASKED") != null;

    public static void main(String[] args) throws Exception {
        String base = args[1];
        HttpClient client = client(HttpClient.Version.valueOf(args[0]));
        String question = IntStream.range(0, 20_000).mapToObj(Integer::toString).collect(Collectors.joining(" "));

        HttpRequest echo = request(base + "/echo").POST(BodyPublishers.ofString(question)).build();
        sayAnswer("echo", client.send(echo, BodyHandlers.ofString()));

        HttpRequest pieces = request(base + "/pieces").build();
        try (InputStream body = client.send(pieces, BodyHandlers.ofInputStream()).body()) {
            byte[] piece = new byte[1024];
            for (int length = body.read(piece); length > 0; length = body.read(piece))
                say("pieces", "\"piece\":" + quoted(new String(piece, 0, length)));
        }

        sayAnswer("denied", client.send(request(base + "/secret/a").build(), BodyHandlers.ofString()));

        for (int i = 2; i < args.length; i++) {
            try {
                sayAnswer("refused", client.send(request(args[i]).build(), BodyHandlers.ofString()));
            } catch (java.io.IOException fault) {
                say("refused", "\"fault\":" + quoted(fault.toString()));
            }
        }
    }

    static HttpClient client(HttpClient.Version version) {
        HttpClient.Builder builder = HttpClient.newBuilder().version(version);
        if (TOKEN == null) return builder.build();
        int port = Integer.parseInt(System.getenv("PROXY_PORT"));
        builder.proxy(ProxySelector.of(new InetSocketAddress("127.0.0.1", port)));
        if (ASKED) builder.authenticator(new Authenticator() {
            @Override protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication("grant", TOKEN.toCharArray());
            }
        });
        return builder.build();
    }

    static HttpRequest.Builder request(String url) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(url));
        String grant = System.getenv("GRANT");
        if (grant != null) builder.header("Writ-Grant", grant);
        else if (!ASKED) builder.header("Proxy-Authorization", "Bearer " + TOKEN); // only the proxy gets it
        return builder;
    }

    static void sayAnswer(String did, HttpResponse<String> response) {
        String headers = response.headers().map().entrySet().stream()
            .map(header -> quoted(header.getKey()) + ":" + quoted(String.join(", ", header.getValue())))
            .collect(Collectors.joining(","));
        say(did, "\"status\":" + response.statusCode() + ",\"version\":\"" + response.version() + "\",\"headers\":{"
            + headers + "},\"body\":" + quoted(response.body()));
    }

    static void say(String did, String members) {
        System.out.println("{\"did\":\"" + did + "\"," + members + "}");
    }

    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n").replace("\r", "\\r") + '"';
    }
}
