// swift-tools-version:6.2
import PackageDescription

/// Warnings are errors in every target of ours; `make` adds the import check
/// (`--explicit-target-dependency-import-check error`), which has no manifest spelling.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "postrider",
    products: [
        .executable(name: "postrider", targets: ["postrider"])
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Model: no clock, randomness, logger, file, socket, task or lock.
        .target(name: "JSONValue", swiftSettings: strict),
        .target(name: "MailModel", swiftSettings: strict),
        .target(name: "Liquid", dependencies: ["JSONValue"], swiftSettings: strict),
        .target(name: "WorkflowModel", dependencies: ["JSONValue"], swiftSettings: strict),
        .target(name: "MailFormat", dependencies: ["MailModel", "CGMime"], swiftSettings: strict),
        .target(name: "Markdown", dependencies: ["CCmark"], swiftSettings: strict),
        // Application: use cases and the ports they need.
        .target(
            name: "Engine",
            dependencies: [
                "JSONValue", "MailModel", "MailFormat", "Liquid", "Markdown", "WorkflowModel",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        // Adapters.
        .target(
            name: "MilterAdapter",
            dependencies: [
                "Engine", "MailModel", "CLibmilter",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .target(
            name: "SMTPAdapter",
            dependencies: [
                "Engine", "MailModel", "CLibcurl",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "WebhookAdapter", dependencies: ["Engine", "WorkflowModel", "CLibcurl"], swiftSettings: strict),
        .target(
            name: "ScannerAdapter", dependencies: ["Engine", "JSONValue", "MailModel", "CLibcurl"],
            swiftSettings: strict),
        .target(
            name: "HTTPAdapter",
            dependencies: [
                "Engine", "JSONValue", "WorkflowModel",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: strict),
        .target(
            name: "MailLogAdapter", dependencies: ["Engine", "JSONValue", "MailModel", "WorkflowModel", "CSpawn"],
            swiftSettings: strict),
        .target(
            name: "SQLStore",
            dependencies: [
                "Engine", "JSONValue", "WorkflowModel", "MailModel", "MailFormat", "CSQLite",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .target(name: "ResolverAdapter", dependencies: ["Engine", "MailModel", "CResolver"], swiftSettings: strict),
        .target(name: "CryptoAdapter", dependencies: ["Engine", "CLibcrypto"], swiftSettings: strict),
        // Shell.
        .target(
            name: "Settings",
            dependencies: [.product(name: "Yams", package: "Yams")],
            swiftSettings: strict),
        .target(
            name: "WorkflowFiles",
            dependencies: ["Engine", "JSONValue", "WorkflowModel", .product(name: "Yams", package: "Yams")],
            swiftSettings: strict),
        .executableTarget(
            name: "postrider",
            dependencies: [
                "WorkflowFiles",
                "Settings", "MilterAdapter", "ScannerAdapter", "SMTPAdapter", "WebhookAdapter", "HTTPAdapter",
                "SQLStore", "CryptoAdapter", "ResolverAdapter", "MailLogAdapter", "Engine", "JSONValue", "MailModel",
                "MailFormat", "WorkflowModel", "Yams", "CAllocator",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        // Tests.
        .target(
            name: "EngineTestKit",
            dependencies: [
                "Engine", "JSONValue", "MailModel", "WorkflowModel", .product(name: "Logging", package: "swift-log"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            path: "Tests/EngineTestKit", swiftSettings: strict),
        .target(
            name: "ServerTestKit", dependencies: ["JSONValue", "CSpawn"], path: "Tests/ServerTestKit",
            swiftSettings: strict),
        .target(
            name: "CorpusKit", dependencies: ["Liquid", "JSONValue", "MailFormat", "MailModel"],
            path: "Tests/CorpusKit",
            swiftSettings: strict),
        // `make corpora`.
        .executableTarget(
            name: "corpora", dependencies: ["CorpusKit"], path: "Tests/CorpusRunner", swiftSettings: strict),
        // `make run`.
        .executableTarget(
            name: "story", dependencies: ["ServerTestKit", "JSONValue"], path: "Tests/Story", swiftSettings: strict),
        // `make bench`.
        .executableTarget(
            name: "benchmarks",
            dependencies: [
                "Engine", "SQLStore", "CryptoAdapter", "WorkflowModel", "MailFormat", "MailModel", "JSONValue",
                "Liquid", "ServerTestKit", "HTTPAdapter",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Benchmarks/Runner", swiftSettings: strict),
        .testTarget(name: "ServerTestKitTests", dependencies: ["ServerTestKit"], swiftSettings: strict),
        .testTarget(
            name: "LiquidTests", dependencies: ["Liquid", "JSONValue", "CorpusKit"],
            exclude: ["golden-exceptions.json"],
            swiftSettings: strict),
        .testTarget(name: "MarkdownTests", dependencies: ["Markdown"], swiftSettings: strict),
        .testTarget(name: "JSONValueTests", dependencies: ["JSONValue"], swiftSettings: strict),
        .testTarget(name: "WorkflowModelTests", dependencies: ["WorkflowModel", "JSONValue"], swiftSettings: strict),
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "Engine", "EngineTestKit", "SQLStore", "CryptoAdapter", "JSONValue", "MailFormat", "MailModel",
                "WorkflowModel", "CorpusKit",
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(name: "MailModelTests", dependencies: ["MailModel"], swiftSettings: strict),
        .testTarget(
            name: "MailFormatTests", dependencies: ["MailFormat", "MailModel", "JSONValue", "CorpusKit"],
            exclude: ["Golden", "mime-exceptions.json"],
            swiftSettings: strict),
        .testTarget(
            name: "MilterAdapterTests",
            dependencies: [
                "MilterAdapter", "Engine", "EngineTestKit", "MailModel", "CLibmilter",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ScannerAdapterTests", dependencies: ["ScannerAdapter", "Engine", "JSONValue", "MailModel"],
            swiftSettings: strict),
        .testTarget(
            name: "MailLogAdapterTests", dependencies: ["MailLogAdapter", "Engine", "MailModel", "WorkflowModel"],
            swiftSettings: strict),
        .testTarget(
            name: "ResolverAdapterTests", dependencies: ["ResolverAdapter", "Engine", "MailModel", "ServerTestKit"],
            swiftSettings: strict),
        .testTarget(
            name: "HTTPAdapterTests",
            dependencies: [
                "HTTPAdapter", "Engine", "EngineTestKit", "SQLStore", "JSONValue", "MailFormat", "MailModel",
                "WorkflowModel",
                "Yams",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "WorkflowFilesTests",
            dependencies: [
                "WorkflowFiles", "Engine", "EngineTestKit", "SQLStore", "JSONValue", "WorkflowModel", "MailModel",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests",
            dependencies: ["ServerTestKit", "Engine", "SQLStore", "JSONValue", "WorkflowModel"],
            swiftSettings: strict),
        .testTarget(name: "CryptoAdapterTests", dependencies: ["CryptoAdapter"], swiftSettings: strict),
        .testTarget(name: "SettingsTests", dependencies: ["Settings"], swiftSettings: strict),
        .testTarget(
            name: "SMTPAdapterTests",
            dependencies: [
                "SMTPAdapter", "Engine", "MailModel", "CSpawn", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "WebhookAdapterTests",
            dependencies: ["WebhookAdapter", "Engine", "WorkflowModel", "ServerTestKit"], swiftSettings: strict),
        .testTarget(
            name: "SQLStoreTests",
            dependencies: [
                "SQLStore", "Engine", "EngineTestKit", "JSONValue", "WorkflowModel", "MailModel", "CSQLite",
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        // System libraries.
        .systemLibrary(name: "CLibmilter", providers: [.apt(["libmilter-dev"])]),
        .systemLibrary(name: "CLibcurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CGMime", pkgConfig: "gmime-3.0", providers: [.apt(["libgmime-3.0-dev"])]),
        .systemLibrary(name: "CCmark", pkgConfig: "libcmark", providers: [.apt(["libcmark-dev"])]),
        .systemLibrary(name: "CResolver"),
        .systemLibrary(name: "CAllocator"),
        .systemLibrary(name: "CSpawn"),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CLibcrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    ],
    swiftLanguageModes: [.v6]
)
