import java.io.IOException;
import java.net.Socket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/** Opens TLS as `host` with `address port` for each triple, trusting what javax.net.ssl.trustStore says. */
public class Leaf {
  public static void main(String[] triples) throws IOException {
    SSLSocketFactory factory = (SSLSocketFactory) SSLSocketFactory.getDefault();
    for (String triple : triples) {
      String[] parts = triple.split(",");
      Socket tcp = new Socket(parts[1], Integer.parseInt(parts[2]));
      try (SSLSocket tls = (SSLSocket) factory.createSocket(tcp, parts[0], tcp.getPort(), true)) {
        var parameters = tls.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        tls.setSSLParameters(parameters);
        tls.startHandshake();
        System.out.println(parts[0] + " ok");
      } catch (IOException refused) {
        System.out.println(parts[0] + " " + refused.getMessage());
      }
    }
  }
}
