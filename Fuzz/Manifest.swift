// swift-tools-version:6.2
import PackageDescription

// The manifest of the scratch package that `Fuzz/run` makes: it must bear the project's name, because `package` access
// ends at the package. `Sources` and `Fuzz` are links to the project's folders. `Parts` holds
// links to those files of the adapters and the shell that read what comes from outside and need no server.

/// Coverage for libFuzzer and the address sanitizer in every target of ours; `Fuzz/run` gives them to C as well.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// All files of `Fuzz/Targets`.
let names = [
    "Address", "Complaint", "Configuration", "Contacts", "Conversation", "Filter", "HTML", "Header", "Identifier",
    "JSON", "Journal",
    "MailLog", "Mailbox", "Markdown", "Message", "Notification", "Postfix", "Reading", "Records", "Reply", "Report",
    "Results",
    "Sanitizer",
    "Schedule", "Session", "Template", "Webhook", "Workflow",
]

/// One program for each parser: its name is the file's in `Fuzz/Targets`.
func fuzzer(_ name: String, _ rooms: [Target.Dependency]) -> Target {
    .executableTarget(
        name: "fuzz-\(name)", dependencies: ["FuzzKit"] + rooms, path: "Fuzz/Targets",
        exclude: names.filter { $0 != name }.map { "\($0).swift" }, sources: ["\(name).swift"],
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
}

let package = Package(
    name: "postrider",
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(name: "JSONValue", swiftSettings: strict),
        .target(name: "MailModel", swiftSettings: strict),
        .target(name: "Liquid", dependencies: ["JSONValue"], swiftSettings: strict),
        .target(name: "WorkflowModel", dependencies: ["JSONValue"], swiftSettings: strict),
        .target(name: "MailFormat", dependencies: ["MailModel", "CGMime"], swiftSettings: strict),
        .target(name: "Markdown", dependencies: ["CCmark"], swiftSettings: strict),
        .target(
            name: "Engine",
            dependencies: [
                "JSONValue", "MailModel", "MailFormat", "Liquid", "Markdown", "WorkflowModel",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(name: "Settings", dependencies: [.product(name: "Yams", package: "Yams")], swiftSettings: strict),
        .target(
            name: "MilterAdapter",
            dependencies: ["Engine", "MailModel", "CLibmilter", .product(name: "Logging", package: "swift-log")],
            path: "Parts/MilterAdapter", swiftSettings: strict),
        .target(name: "SMTPAdapter", dependencies: ["MailModel"], path: "Parts/SMTPAdapter", swiftSettings: strict),
        .target(
            name: "WebhookAdapter", dependencies: ["Engine"], path: "Parts/WebhookAdapter", swiftSettings: strict),
        .target(
            name: "WorkflowFiles",
            dependencies: ["Engine", "JSONValue", "WorkflowModel", .product(name: "Yams", package: "Yams")],
            swiftSettings: strict),
        .target(name: "FuzzKit", path: "Fuzz/Kit", swiftSettings: strict),
        fuzzer("Address", ["Engine", "MailModel"]),
        fuzzer("Complaint", ["MailFormat", "MailModel"]),
        fuzzer("Configuration", ["Settings"]),
        fuzzer("Contacts", ["Engine", "JSONValue", "WorkflowModel"]),
        fuzzer(
            "Conversation",
            ["Engine", "MailModel", "MilterAdapter", .product(name: "Logging", package: "swift-log")]),
        fuzzer("Filter", ["JSONValue", "WorkflowModel"]),
        fuzzer("HTML", ["MailFormat", "MailModel"]),
        fuzzer("Markdown", ["Markdown"]),
        fuzzer("Header", ["MailModel"]),
        fuzzer("Identifier", ["Engine", "WorkflowModel"]),
        fuzzer("JSON", ["JSONValue"]),
        fuzzer("Journal", ["Engine", "WorkflowModel"]),
        fuzzer("Mailbox", ["MailFormat"]),
        fuzzer("MailLog", ["MailModel"]),
        fuzzer("Message", ["Engine", "JSONValue", "MailFormat", "MailModel", "WorkflowModel"]),
        fuzzer("Notification", ["MailFormat", "MailModel"]),
        fuzzer("Postfix", ["Settings"]),
        fuzzer("Reading", ["MailFormat", "MailModel"]),
        fuzzer("Records", ["MailModel"]),
        fuzzer("Reply", ["MailModel", "MilterAdapter", "SMTPAdapter"]),
        fuzzer("Report", ["MailFormat", "MailModel"]),
        fuzzer("Results", ["MailModel"]),
        fuzzer("Sanitizer", ["MailFormat"]),
        fuzzer("Schedule", ["JSONValue", "WorkflowModel"]),
        fuzzer("Session", ["MailModel", "MilterAdapter"]),
        fuzzer("Template", ["JSONValue", "Liquid"]),
        fuzzer("Webhook", ["Engine", "WebhookAdapter", "WorkflowModel"]),
        fuzzer("Workflow", ["Engine", "JSONValue", "WorkflowFiles", "WorkflowModel"]),
        .systemLibrary(name: "CCmark", pkgConfig: "libcmark", providers: [.apt(["libcmark-dev"])]),
        .systemLibrary(name: "CLibmilter", providers: [.apt(["libmilter-dev"])]),
        .systemLibrary(name: "CGMime", pkgConfig: "gmime-3.0", providers: [.apt(["libgmime-3.0-dev"])]),
    ],
    swiftLanguageModes: [.v6]
)
