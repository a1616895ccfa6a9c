import HTTPTypes
import Testing

@testable import HTTPAdapter

@Suite struct RequestFieldsTests {
    private static var names: [(String, KeyPath<RequestFields, String?>)] {
        [
            ("Authorization", \.authorization), ("content-TYPE", \.contentType), ("Content-Length", \.contentLength),
            ("Content-Encoding", \.contentEncoding), ("Transfer-Encoding", \.transferEncoding),
            ("Idempotency-Key", \.idempotencyKey),
        ]
    }

    @Test func sayTheSameAsTheFrameworkWhateverIsSent() throws {
        for (text, path) in Self.names {
            let name = try #require(HTTPField.Name(text))
            var fields: HTTPFields = [.acceptLanguage: "de", .userAgent: "a"]
            #expect(RequestFields(fields)[keyPath: path] == nil)
            fields.append(HTTPField(name: name, value: "one"))
            #expect(RequestFields(fields)[keyPath: path] == "one")
            fields.append(HTTPField(name: .accept, value: "two"))
            fields.append(HTTPField(name: name, value: "three"))
            #expect(RequestFields(fields)[keyPath: path] == "one, three")
            #expect(RequestFields(fields)[keyPath: path] == fields[name])
            for (_, other) in Self.names where other != path { #expect(RequestFields(fields)[keyPath: other] == nil) }
        }
    }

    @Test func anEmptyFieldIsThere() {
        #expect(RequestFields([.contentLength: ""]).contentLength == "")
    }
}
