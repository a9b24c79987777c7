# SSSD in a mount namespace of its own, with all its places in a folder: sssd.sh FOLDER, which has etc/sssd.conf.
# PAM's service "understudy" asks it there.
set -e
folder="$1"
printf '[sssd]\nservices = nss, pam\ndomains = example\n\n' | cat - "$folder/etc/sssd.conf" >"$folder/etc/all"
mv "$folder/etc/all" "$folder/etc/sssd.conf"
chmod 600 "$folder/etc/sssd.conf"
mkdir -p "$folder/log" "$folder/run" "$folder/pam"
for each in db mc pipes/private pubconf gpo_cache secrets deskprofile; do mkdir -p "$folder/lib/$each"; done
printf 'auth required pam_sss.so\naccount required pam_sss.so\n' >"$folder/pam/understudy"
mount --bind "$folder/lib" /var/lib/sss
mount --bind "$folder/etc" /etc/sssd
mount --bind "$folder/log" /var/log/sssd
mount --bind "$folder/pam" /etc/pam.d
mount --bind "$folder/run" /run
exec /usr/sbin/sssd -i
