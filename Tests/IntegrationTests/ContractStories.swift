import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Somebody who knows nothing but the API's description: schemathesis makes requests of it, good and bad ones, and holds
/// every answer against it.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct ContractStories {
    /// Installed by `.ci/install test`; without it (PyPI could not be reached) the story is left out, with a line.
    private static let program = "\(BuiltProduct.packageRoot)/.build/schemathesis/bin/schemathesis"

    @Test func everyAnswerIsAsTheDescriptionSays() async throws {
        guard FileManager.default.isExecutableFile(atPath: Self.program) else {
            print("skipped: the API is not held against its description, \(Self.program) is missing: .ci/install test")
            return
        }
        try await BadInputStage.play { stage in
            // Something to find.
            #expect(try await stage.daemon.track("signup", "ann@customer.example", data: ["plan": "pro"]) == 200)
            let report = stage.site.directory.path("schemathesis.txt")
            let run = try DaemonProcess(
                Self.program,
                [
                    "run", "\(stage.daemon.http)/openapi.json", "--header", "Authorization: Bearer \(stage.daemon.key)",
                    "--checks", Self.checks, "--phases", "examples,coverage,fuzzing", "--seed", "1",
                    "--max-examples", "12", "--generation-database", "none", "--suppress-health-check", "all",
                    "--no-color", "--request-timeout", "20",
                ], environment: ["PYTHONWARNINGS": "ignore"], directory: stage.site.directory.path("."),
                logPath: report)
            let status = try await run.waitForExit(deadline: .seconds(420))
            let text = run.lines.map(\.text).joined(separator: "\n")
            #expect(status == .exited(0), "\(text.suffix(20_000))")
            // Whatever was deleted on the way.
            #expect(try await stage.daemon.track("signup", "ann@customer.example", data: ["plan": "pro"]) == 200)
        }
    }

    /// All but those that ask whether a good request was accepted: ids that nobody has are answered with 404.
    private static let checks = [
        "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
        "response_schema_conformance", "negative_data_rejection", "missing_required_header", "unsupported_method",
        "allow_header_conformance", "use_after_free", "ignored_auth",
    ].joined(separator: ",")
}
