// swift-tools-version:6.0
import PackageDescription

// Apart from the project, which does without this dependency.
let package = Package(
    name: "render-mustache",
    dependencies: [.package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.0.0")],
    targets: [
        .executableTarget(
            name: "render-mustache", dependencies: [.product(name: "Mustache", package: "swift-mustache")],
            path: "Sources")
    ]
)
