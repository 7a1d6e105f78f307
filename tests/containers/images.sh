# The images of docker/ whose payloads `make test` builds: each is built, run, and asked.
# km-test: needs=root,namespaces,/usr/sbin/dockerd,build/images/rust/Dockerfile
. "$(dirname "$0")/lib.sh"

docker_starts
images="base hello busybox lua nsm sqlite cpp go rust"
for image in $images; do
    works "$image is built" docker build --quiet --tag "km/$image" "$BUILD/images/$image"
done
for image in $images; do
    # Natively there is nobody to ask.
    DOCKER=docker KONTAIN=$BUILD/kontain works "$image answers" ${RUN:+"$top/docker/check" "$image"}
done
docker_stops
finish
