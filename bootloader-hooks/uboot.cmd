# SPDX-License-Identifier: MIT
# U-Boot's boot script for two slots, A and B, with the variables the hook `uboot` keeps.
# Make boot.scr of it and put that on the boot partition, where U-Boot looks for one:
#
#   mkimage -T script -C none -n osupdate -d uboot.cmd boot.scr
#
# Another layout: change the labels; other boot names: change A and B throughout (and
# bootname= in [slot]).
#
#   BOOT_ORDER   boot names, the one to boot first in front
#   BOOT_x_OK    1: confirmed, boots without being counted
#   BOOT_x_LEFT  boots left on trial: 3 when armed, one less before each
#   BOOT_x_ARGS  what the slot's release adds to its kernel's command line
#
# And, set by whoever makes the machine, if at all:
#
#   osupdate_bootargs   the machine's own kernel arguments, such as console=
#   osupdate_env_block  see below
#
# U-Boot must have setexpr, part, load, ext4, saveenv and its hush shell.  What is no
# variable of U-Boot's (x=, not setenv) is not saved with the environment.

test -n "${devtype}" || setenv devtype mmc
test -n "${devnum}" || setenv devnum 0
disk="${devtype} ${devnum}"

save=saveenv
# --- only where saveenv cannot be used -------------------------------------------------
# osupdate_env_block=800 (in hexadecimal, blocks of 512 bytes): the environment is 16 KiB
# at this block of the boot disk, one copy, without a power cut's safety.  The line for
# fw_env.config is then: /dev/DISK 0x100000 0x4000
if test -n "${osupdate_env_block}"; then
	setenv osupdate_vars BOOT_ORDER BOOT_A_OK BOOT_A_LEFT BOOT_A_ARGS BOOT_B_OK BOOT_B_LEFT BOOT_B_ARGS
	setenv osupdate_save 'env export -c -s 4000 ${kernel_addr_r} ${osupdate_vars} && ${devtype} write ${kernel_addr_r} ${osupdate_env_block} 20'
	save='run osupdate_save'
	${devtype} read ${kernel_addr_r} ${osupdate_env_block} 20 && env import -c ${kernel_addr_r} 4000 ${osupdate_vars}
fi
# ---------------------------------------------------------------------------------------

# Slots in order: the first that may be booted and has a kernel.  booti and bootz return
# only where they failed.
for name in ${BOOT_ORDER}; do
	label=none
	ok=0
	left=0
	if test "${name}" = A; then
		label=root-a
		args="${BOOT_A_ARGS}"
		test -z "${BOOT_A_OK}" || ok="${BOOT_A_OK}"
		test -z "${BOOT_A_LEFT}" || left="${BOOT_A_LEFT}"
	elif test "${name}" = B; then
		label=root-b
		args="${BOOT_B_ARGS}"
		test -z "${BOOT_B_OK}" || ok="${BOOT_B_OK}"
		test -z "${BOOT_B_LEFT}" || left="${BOOT_B_LEFT}"
	fi
	go=0
	if test "${ok}" = 1; then
		go=1
	elif test "${left}" -gt 0; then
		if test "${name}" = A; then
			setexpr BOOT_A_LEFT "${left}" - 1
		else
			setexpr BOOT_B_LEFT "${left}" - 1
		fi
		# A boot that cannot be counted is none of the trial's: the next one's turn.
		if ${save}; then
			go=1
			echo "osupdate: ${name} is on trial, boots left with this one: ${left}"
		else
			echo "osupdate: the environment cannot be saved, so ${name} is not tried"
		fi
	fi
	if test "${go}" = 1; then
		if part number ${disk} ${label} osupdate_part; then
			# panic=: a kernel that cannot go on reboots, which spends the next attempt.
			setenv bootargs "root=PARTLABEL=${label} ro osupdate.slot=${name} panic=10 ${osupdate_bootargs} ${args}"
			printenv bootargs
			from="${disk}:${osupdate_part}"
			fdt="${fdtcontroladdr}"
			initrd=-
			if test -n "${fdt_addr_r}"; then
				if load ${from} ${fdt_addr_r} /dtb; then fdt="${fdt_addr_r}"; fi
			fi
			if load ${from} ${ramdisk_addr_r} /initrd.img; then initrd="${ramdisk_addr_r}:${filesize}"; fi
			if load ${from} ${kernel_addr_r} /vmlinuz; then
				# A U-Boot has the one for its processor.
				booti ${kernel_addr_r} ${initrd} ${fdt} || bootz ${kernel_addr_r} ${initrd} ${fdt}
			fi
		fi
		echo "osupdate: ${name} has no kernel that can be booted"
	fi
done

echo "osupdate: nothing was booted (BOOT_ORDER=${BOOT_ORDER}); again in 10 s"
sleep 10
reset
