import Foundation
import HTTPTypes
import Testing

@testable import HTTPAdapter

@Suite struct DescriptionTests {
    /// Lines of the API's description, next to the package's manifest.
    private func description() throws -> [Substring] {
        let root = URL(filePath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "Documentation/openapi.yaml"), encoding: .utf8)
        return text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Path and method, as `GET /path`, of everything under `paths`.
    private func describedRoutes() throws -> Set<String> {
        var routes: Set<String> = []
        var path = ""
        for line in try description().drop(while: { $0 != "paths:" }).dropFirst() {
            guard line.isEmpty || line.hasPrefix(" ") else { break }
            let isKey = { (indent: Int) in line.prefix(while: { $0 == " " }).count == indent && line.hasSuffix(":") }
            let key = line.dropLast().trimmingCharacters(in: .whitespaces)
            if isKey(2) { path = key }
            if isKey(4), key != "parameters" { routes.insert("\(key.uppercased()) \(path)") }
        }
        return routes
    }

    @Test func everyRouteIsDescribedAndNothingElse() throws {
        let served = Endpoint.allCases.flatMap { endpoint in
            endpoint.methods.map { "\($0.rawValue) \(endpoint.rawValue)" }
        }
        #expect(try describedRoutes() == Set(served))
    }

    @Test func everyErrorCodeIsDescribedAndNothingElse() throws {
        let line = try #require(try description().first { $0.contains("enum: [invalid_json") })
        let list = line.drop { $0 != "[" }.dropFirst().prefix { $0 != "]" }
        let codes = list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(codes == APIError.Code.allCases.map(\.rawValue))
    }
}
