import ServerTestKit
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HTTPClientTests {
    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellomore", "hello"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=1\r\nhell\r\n1\r\no\r\n0\r\nT: 1\r\n\r\n", "hello"),
        ("HTTP/1.1 200 OK\r\n\r\nhello", "hello"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"),
    ])
    func readsEveryFraming(wire: String, body: String) async throws {
        let server = try CannedServer(wire)
        let answer = try await HTTPClient(port: server.port).post("/x", "{}")
        #expect(answer.status == 200)
        #expect(answer.text == body)
    }

    @Test func headHasNoBodyWhateverItsLengthSays() async throws {
        let server = try CannedServer("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nX-A:  b \r\n\r\n")
        let answer = try await HTTPClient(port: server.port).head("/")
        #expect(answer.status == 404)
        #expect(answer.body.isEmpty)
        #expect(answer.field("x-a") == "b")
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "250 ok\r\n\r\n"])
    func aBrokenAnswerIsAnError(wire: String) async throws {
        let server = try CannedServer(wire)
        await #expect(throws: FixtureError.self) { try await HTTPClient(port: server.port).get("/") }
    }
}
